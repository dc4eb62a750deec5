"""Settings: precedence, unknown keys, presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.config.settings import preset_names, read_preset, resolve
from maskwright.errors import BadSettings
from maskwright.models.catalogue import table


def _file(folder: Path, text: str) -> Path:
    path = folder / "maskwright.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_command_line_over_environment_over_file_over_preset(tmp_path: Path) -> None:
    path = _file(
        tmp_path, '[models.segmenter]\nname = "from-file"\nweights = "w"\n[models.ranker]\nname = "from-file"\n'
    )
    environment = {"MASKWRIGHT_MODELS__RANKER__NAME": "from-environment"}
    found = resolve({"models": {"vlm": "from-line"}}, file=path, environment=environment)
    assert found.models["segmenter"] == {"name": "from-file", "weights": "w"}
    assert found.models["ranker"] == {"name": "from-environment"}
    assert found.models["vlm"] == {"name": "from-line"}
    assert found.models["filler"] == {"name": "lite"}
    assert found.to_json()["preset"] == "lite"


def test_another_model_drops_the_options_of_the_one_it_replaces(tmp_path: Path) -> None:
    path = _file(tmp_path, '[models.segmenter]\nname = "sam2"\nweights = "big"\n')
    assert resolve({"models": {"segmenter": {"name": "lite"}}}, file=path).models["segmenter"] == {"name": "lite"}
    assert resolve({"models": {"segmenter": {"device": "cpu"}}}, file=path).models["segmenter"]["weights"] == "big"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[modles]\n", "Did you mean 'models'"),
        ('[models.segmentor]\nname = "x"\n', "Did you mean 'segmenter'"),
        ('[models.segmenter]\nweights = "x"\n', "has no name"),
        ("[models]\nsegmenter = 3\n", "has no name"),
        ("models = 3\n", "not a table"),
        ('preset = "liet"\n', "Did you mean 'lite'"),
        ("[find]\ntau_cnof = 0.5\n", "Did you mean 'tau_conf'"),
        ('[find]\ntau_conf = "high"\n', "find.tau_conf"),
        ("x = [\n", "maskwright.toml"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        resolve(file=_file(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"gone\.toml"):
        resolve(file=tmp_path / "gone.toml")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_names_models_that_exist(name: str) -> None:
    settings = resolve(preset=name, environment={})
    assert read_preset(name)["about"]
    for kind, choice in settings.models.items():
        if (kind, choice["name"]) != ("judge", "rules"):
            assert ("vlm" if kind == "judge" else kind, choice["name"]) in table()
