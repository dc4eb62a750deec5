"""What tokens cost: a small dated table, overridden by the settings price_in and price_out."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens, in and out."""

    usd_in: float
    usd_out: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Dollars for so many tokens."""
        return (tokens_in * self.usd_in + tokens_out * self.usd_out) / 1e6


@cache
def _table() -> dict[str, Price]:
    data = tomllib.loads(resources.files(__package__).joinpath("prices.toml").read_text(encoding="utf-8"))
    rate = {"USD": 1.0, "CNY": 1.0 / float(data["cny_per_usd"])}
    return {
        row["model"]: Price(row["in"] * rate[row["currency"]], row["out"] * rate[row["currency"]])
        for row in data["prices"]
    }


def price_of(model: str, price_in: float | None = None, price_out: float | None = None) -> Price | None:
    """The settings' price, else the table's; None when it is not known (then no money is counted)."""
    if price_in is not None or price_out is not None:
        return Price(price_in or 0.0, price_out or 0.0)
    return _table().get(model)
