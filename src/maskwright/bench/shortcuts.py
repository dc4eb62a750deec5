"""Experiments made from a few options, and comparisons of finished runs."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.bench.conditions import DEFAULT
from maskwright.bench.experiment import make_experiment
from maskwright.bench.rows import Results, read_results
from maskwright.bench.summary import compare_rows
from maskwright.config.bench import Experiment, Variant
from maskwright.errors import BadSettings, InputError


def shortcut(
    *,
    title: str,
    data_name: str,
    conditions: Sequence[str] | str = ("clean",),
    root: str | None = None,
    split: str | None = None,
    count: int | None = None,
    engines: str = "lite",
    vlm: str | None = None,
    oracle: str | None = None,
    modes: str = "one-shot,loop",
    max_iter: str = "3",
    seed: int = 0,
    resamples: int = 2000,
) -> Experiment:
    """The experiment of `maskwright bench NAME` and its options; raises BadSettings."""
    chosen = _engines(engines)
    iterations = _numbers(max_iter, "--max-iter", int)
    variants = _variants(modes.split(","), iterations, vlm)
    if vlm is not None and not any("vlm" in variant for variant in variants):
        raise BadSettings(f"no mode of {modes} asks {vlm}.", "Add one that does: --modes one-shot,loop+vlm.")
    if oracle is not None:
        variants += [
            {"name": f"oracle {error:g}", "mode": "loop+vlm", "oracle_error": error, "max_iter": max(iterations)}
            for error in _numbers(oracle, "--oracle", float)
        ]
    data = {"name": data_name, "root": root, "split": split, "n": count}
    return make_experiment(
        {
            "title": title,
            "data": {k: v for k, v in data.items() if v is not None},
            "variants": [{**variant, **chosen} for variant in variants],
            "conditions": list(DEFAULT if conditions == "default" else conditions),
            "seed": seed,
            "resamples": resamples,
        },
        "the command line",
    )


def _engines(text: str) -> dict[str, Any]:
    parts = text.split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise BadSettings(
            f"--engines {text} is not understood.", "Write SEGMENTER/RANKER/PROPOSER, e.g. lite or sam2/clip."
        )
    ranker = parts[1] if len(parts) > 1 else parts[0]
    proposers = parts[2].split("+") if len(parts) > 2 else [parts[0] if parts[0] in ("lite", "fake") else "grid"]
    return {"segmenter": parts[0], "ranker": ranker, "proposers": proposers}


def _variants(modes: Sequence[str], iterations: Sequence[int], vlm: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mode in modes:
        asks = mode in ("loop+vlm", "loop+text")
        if asks and vlm is None:
            raise BadSettings(f"mode {mode} asks a model.", "Name one with --vlm, or use --oracle 0,0.1.")
        for most in iterations if mode != "one-shot" else [1]:
            name = mode if mode == "one-shot" or len(iterations) == 1 else f"{mode} x{most}"
            found.append({"name": name, "mode": mode, "max_iter": most, **({"vlm": vlm} if asks else {})})
    return found


def _numbers(text: str, option: str, kind: type[Any]) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise BadSettings(f"{option} {text} is not a list of numbers.", "Write e.g. 1,2,3.") from error


def ablation(experiment: Experiment, vary: Sequence[str]) -> Experiment:
    """The experiment's last variant, and it again with one setting changed at a time."""
    base = experiment.variants[-1].model_dump(exclude_none=True)
    variants = [{**base, "name": "as it is"}]
    for text in vary:
        setting, equals, values = text.partition("=")
        if not equals or not values:
            raise BadSettings(f"--vary {text} has no values.", "Write --vary SETTING=A,B.")
        for value in values.split(","):
            variants.append({**base, "name": f"{setting}={value}", **_changed(base, setting, value)})
    whole = experiment.model_dump(mode="json", exclude_none=True)
    return make_experiment({**whole, "variants": variants}, "the command line")


def _changed(base: dict[str, Any], setting: str, value: str) -> dict[str, Any]:
    """What a variant says of a setting: its own field where it has one, else one of find."""
    if setting == "proposers":
        return {setting: value.split("+")}
    if setting in Variant.model_fields:
        return {setting: _toml(value)}
    return {"settings": {**base["settings"], setting: _toml(value)}}


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def with_resamples(results: Results, resamples: int, seed: int) -> Results:
    """The same results, to be summarised with other resamples."""
    values = {**results.experiment.model_dump(mode="json", exclude_none=True), "resamples": resamples, "seed": seed}
    return replace(results, experiment=make_experiment(values, "the command line"))


def compare_runs(first: str | Path, second: str | Path, names: Sequence[str] = ()) -> dict[str, Any]:
    """The paired difference of one variant of each run, over shared samples; raises InputError when none is shared."""
    runs = (read_results(first), read_results(second))
    chosen = [_variant(run, names[min(i, len(names) - 1)] if names else "") for i, run in enumerate(runs)]
    conditions = [run.experiment.conditions[0] for run in runs]
    rows = [
        {(r.sample, r.cluster, r.none_such): r for r in run.of(name, condition)}
        for run, name, condition in zip(runs, chosen, conditions)
    ]
    shared = [sample for sample in rows[0] if sample in rows[1]]
    if conditions[0] == conditions[1]:
        shared = [s for s in shared if rows[0][s].phrase == rows[1][s].phrase]
    if not shared:
        raise InputError(f"{first} and {second} share no samples.", "Compare runs over the same data set.")
    left, right = ([found[s] for s in shared] for found in rows)
    settings = runs[0].experiment
    told = ["" if condition == "clean" else f", {condition}" for condition in conditions]
    labels = [f"{Path(p).name}: {name}{more}" for p, name, more in zip((first, second), chosen, told)]
    return {"a": labels[0], "b": labels[1], **compare_rows(left, right, settings.resamples, settings.seed)}


def _variant(run: Results, name: str) -> str:
    known = [v.name for v in run.experiment.variants]
    if name and name not in known:
        raise InputError(f"{run.folder} has no variant {name!r}.", f"It has: {', '.join(known)}.")
    return name or known[-1]
