"""What a visitor reads when something fails: every class and every line of the page has its Chinese."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskwright
from maskwright import errors
from maskwright.errors import BadImage, Busy, Cancelled, EngineDown, InputError, MaskwrightError, MissingWeights
from maskwright.plumbing.cancel import Cancel
from maskwright.ports import PART_LABELS, PORTS
from maskwright.studio.faults import OOPS, class_names, pattern_of, told, told_line, told_text
from maskwright.studio.faults_zh import BY_CLASS, MESSAGES, REASONS
from maskwright.studio.texts import named

ROOT = Path(maskwright.__file__).parent
PLACES = (
    "studio", "values/box.py", "values/prompt.py", "finding", "media/images.py", "media/decoding.py",
    "media/packets.py", "media/clip_process.py", "plumbing/cancel.py", "plumbing/budget.py", "plumbing/files.py",
    "models/editors/planner_grammar.py", "models/editors/planner.py", "models/trackers/lite.py",
    "shaping/garments.py", "shaping/mesh_care.py",
)  # fmt: skip
"""Where errors are raised that a visitor of a studio with the embedded models can bring about."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _template(node: ast.expr) -> str | None:
    """A text with `{}` for what is put in; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return None


def _raised() -> Iterator[tuple[str, str]]:
    """(where, line) of every message and hint of an error in PLACES."""
    names = {*class_names(), "_Lost"}
    for place in PLACES:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                    for text in filter(None, map(_template, node.args[:2])):
                        yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def test_every_class_of_error_says_in_chinese_what_happened_and_what_to_do() -> None:
    assert set(BY_CLASS) == set(class_names())
    for name, words in BY_CLASS.items():
        assert all(CHINESE.search(text) and text.endswith("。") for text in words), name


def test_every_line_that_is_raised_where_a_visitor_comes_by_has_its_chinese() -> None:
    found = list(_raised())
    assert len(found) > 150
    assert [(where, text) for where, text in found if text not in MESSAGES] == []


@pytest.mark.parametrize("english", sorted(MESSAGES))
def test_a_line_keeps_its_numbers_and_names(english: str) -> None:
    """Each `{}` of the English comes back in the Chinese (a list of what the planner can do is the one exception)."""
    values = [f"value{n}" for n in range(english.count("{}"))]
    line = told_line(english.format(*values), "zh")
    assert CHINESE.search(line), english
    wanted = len([f for _, f, _, _ in string.Formatter().parse(MESSAGES[english]) if f is not None])
    assert sum(value in line for value in values) == wanted
    assert wanted in (0, len(values)), english
    assert (
        re.findall(r"[A-Za-z]{3,} [a-z]{3,} [a-z]{3,}", line.replace("pip install", "").replace("models pull", ""))
        == []
    )


@pytest.mark.parametrize(
    ("error", "chinese"),
    [
        (InputError("there is no picture yet.", "Upload one, paste one or choose a sample."), "还没有图片。\n请上传、粘贴，或选择一个示例。"),
        (BadImage("a.png has 90 MiB.", "Pictures may have 64 MiB at most."), "a.png 有 90 MiB。\n图片最多 64 MiB。"),
        (BadImage("what nobody foresaw", "and its advice"), "\n".join(BY_CLASS["BadImage"])),
        (BadImage("a.png is empty.", "and its advice"), f"a.png 是空的。\n{BY_CLASS['BadImage'][1]}"),
        (EngineDown("HTTP 503"), "\n".join(BY_CLASS["EngineDown"])),
        (Busy("tracker is busy.", "Try again in 2.5 s.", 2.5), "模型正忙（tracker）。\n请在 2.5 秒后重试。"),
        (MissingWeights("x", "Type: maskwright models pull sam2"), f"{BY_CLASS['MissingWeights'][0]}\n请让运行此工作室的人执行：maskwright models pull sam2"),
        (MaskwrightError("?"), "\n".join(BY_CLASS["MaskwrightError"])),
    ],
)  # fmt: skip
def test_errors_are_told_in_both_languages(error: MaskwrightError, chinese: str) -> None:
    assert told(error, "en") == str(error)
    assert told(error, "zh") == chinese


def test_a_class_of_elsewhere_is_told_as_the_nearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(errors.BadVideo):
        pass

    monkeypatch.setattr(errors, "Odd", Odd, raising=False)
    assert told(Odd("?"), "zh") == "\n".join(BY_CLASS["BadVideo"])
    assert told_text("?", "NeverHeardOf", "zh") == "\n".join(BY_CLASS["MaskwrightError"])


def test_what_a_cancel_and_a_job_s_fault_say() -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled) as caught:
        cancel.check()
    assert told(caught.value, "zh").startswith("已按要求停止。")
    assert told_text(OOPS, "", "zh").startswith("出错了")
    assert told_text("", "", "zh") == ""


def test_a_longer_line_is_not_taken_for_a_shorter_one() -> None:
    """`{} is busy.` must not swallow what has words of its own."""
    assert pattern_of("{} is {}x{}.").fullmatch("clip.mp4 is 9000x9000.")
    assert told_line("the mask is 3x4, the picture 5x6.", "zh") == "蒙版为 3x4，图片为 5x6。"
    assert told_line("a.mp4: a frame is 3x4.", "zh") == "a.mp4：有一帧的尺寸为 3x4。"


def test_parts_and_kinds_of_models_have_chinese_names_and_given_names_stay() -> None:
    assert {label for label in PART_LABELS if not CHINESE.search(named(label, "zh"))} == set()
    assert {kind for kind in PORTS if not CHINESE.search(named(kind, "zh"))} == set()
    assert [named(name, "zh") for name in ("object 2", "region 12", "object cup", "杯 1")] == [
        "对象 2", "区域 12", "object cup", "杯 1",
    ]  # fmt: skip
    assert named("object 2", "en") == "object 2"


def test_why_loops_end_is_told_in_chinese() -> None:
    """Every word a loop ends with stands in the table."""
    sources = [ROOT / "sculpting" / "stopping.py", ROOT / "sculpting" / "loop.py", ROOT / "finding" / "loop.py"]
    said = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name in ("why_stop", "_spent"):
                said |= {n.value.value for n in ast.walk(node) if isinstance(n, ast.Return)
                         and isinstance(n.value, ast.Constant) and isinstance(n.value.value, str)}  # fmt: skip
            if isinstance(node, ast.Assign) and re.search(r"stop|verdict|failed", ast.unparse(node.targets[0])):
                said |= {
                    t
                    for n in ast.walk(node.value)
                    if (t := _template(n)) and (" " in t or t == "picked") and t[-1] != " "
                }
    assert {"settled", "oscillates", "nothing fits", "a model failed", "picked"} <= said
    assert said - set(REASONS) == set()
    assert told_line("a word of tomorrow", "zh") == "-"
    assert told_line("a word of tomorrow", "en") == "a word of tomorrow"
