"""What a batch tells while it goes on and at its end."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from maskwright.cli.progress import Display, about, table
from maskwright.runs.summary import Tally, exit_code
from maskwright.values import Cost

COST = Cost(calls={"vlm": 3}, tokens_in=100, tokens_out=5, usd=0.25).to_json()


def row(id_: str, status: str = "done", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "status": status,
        "cost": COST,
        "error": "no such thing.\nLook." if status == "failed" else None,
        **more,
    }


def tally(*rows: dict[str, Any], total: int = 4) -> Tally:
    made = Tally(total)
    for one in rows:
        made.add(one)
    return made


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_name_failures_and_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    made = Tally(2)
    with Display(2) as display:
        for one in (row("a", "failed"), row("b")):
            made.add(one)
            display(one, made)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "a: failed: no such thing." and said[1].startswith("2/2 ") and "1 failed" in said[1]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    made = tally(row("a", "failed"), total=1)
    with Display(1) as display:
        display(row("a", "failed"), made)
    assert "a: failed" in screen.getvalue() and "1/1" in screen.getvalue()


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(1, quiet=True) as display:
        display(row("a", "failed"), tally(row("a", "failed"), total=1))
    assert capsys.readouterr().err == ""


def test_what_is_told_of_costs() -> None:
    text = about(tally(row("a"), row("b", "abstained"), row("c", "failed")))
    assert "9 calls" in text and "$0.7500" in text and "1 abstained" in text and "1 failed" in text and "left" in text


def test_finished_items_cost_nothing_now() -> None:
    made = tally(row("a", skipped=True), row("b", degraded=["rules"], engines={"judge": "x"}))
    value = made.to_json("BudgetSpent")
    assert (value["cost"]["usd"], value["finished_before"], value["left"]) == (0.25, 1, 2)
    text = table(value)
    assert "1 were finished before" in text and "1 x rules" in text and "by BudgetSpent" in text


@pytest.mark.parametrize(
    ("statuses", "stopped", "code"),
    [(["done", "abstained"], None, 0), (["done", "failed"], None, 8), (["done"], "Cancelled", 7),
     (["failed"], "BudgetSpent", 6)],
)  # fmt: skip
def test_exit_codes(statuses: list[str], stopped: str | None, code: int) -> None:
    assert exit_code(tally(*(row(str(i), s) for i, s in enumerate(statuses))), stopped) == code
