"""A claim with its figures, its verdict and why: what the command, the page and JSON show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.formats import TEXT, Formats
from desk.claims.article_claims import CLAIMS, Claim, Unit
from desk.claims.verdicts import Verdict, verdict

_NEWEST = "SELECT count(), max(time) FROM latest_concentration WHERE chain = 'bitcoin'"


@dataclass(frozen=True, slots=True)
class Checked:
    """`then` and `now` are None where the claim has no measure, or the dataset lacks the data or a block of a window."""

    claim: Claim
    then: float | None
    now: float | None
    agree: bool = True

    @property
    def verdict(self) -> Verdict:
        """The verdict on these figures."""
        return verdict(self.claim.judge, self.then, self.now, agree=self.agree)

    def why(self, formats: Formats = TEXT) -> str:
        """The reason of the verdict: what the figures did, or why there are none."""
        judge = self.claim.judge
        if judge is None:
            return self.claim.measure
        if self.then is None or self.now is None:
            missing = [f'"{name}"' for name, value in (("then", self.then), ("now", self.now)) if value is None]
            return f"The dataset lacks data for the figure of {' and of '.join(missing)}, or a part of its blocks."
        if not self.agree:
            return "The include-lists of the source move in different directions."
        return judge.why(self.then, self.now, lambda value: written(value, self.claim.unit, formats))

    def to_json(self) -> dict[str, Any]:
        """Every field; the figures as numbers."""
        return {
            "claim": self.claim.name,
            "text": self.claim.text,
            "measure": self.claim.measure,
            "unit": self.claim.unit if self.claim.judge else None,
            "then": self.then,
            "now": self.now,
            "verdict": self.verdict,
            "why": self.why(),
            "sql": self.claim.sql or None,
        }


def check(clickhouse: ClickHouse, claim: Claim) -> Checked:
    """One claim on the current dataset. Its query has one row."""
    if claim.judge is None:
        return Checked(claim, None, None)
    [(then, now, *agree)] = clickhouse.query(claim.sql)
    figures = [None if each is None or not math.isfinite(each) else float(each) for each in (then, now)]
    return Checked(claim, figures[0], figures[1], all(agree))


def check_all(clickhouse: ClickHouse) -> tuple[list[Checked], datetime | None]:
    """Every claim in the order of the article, and the header time of the newest scored block; None where none is."""
    found = [check(clickhouse, claim) for claim in CLAIMS]
    [(scored, time)] = clickhouse.query(_NEWEST)
    return found, time if scored else None


def written(value: float | None, unit: Unit, formats: Formats = TEXT) -> str:
    """A figure as people read it.

    >>> written(0.7415, "share"), written(4.0, "places"), written(16.04, "blocks"), written(38.0, "count"), written(None, "number")
    ('74.15 %', '4 of 4', '16.0', '38', '–')
    """
    if value is None:
        return formats.missing
    if unit == "share":
        return formats.share(value, 2)
    return f"{value:.0f} of 4" if unit == "places" else formats.number(value, {"count": 0, "blocks": 1}.get(unit, 2))
