"""What is known about a day at a moment, and what two such moments disagree about. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, get_args

Value = str | int | float | bool | None
Section = Literal["attribution", "concentration", "releases", "asymmetry", "rules", "alerts"]
SECTIONS: Final[tuple[Section, ...]] = get_args(Section)

FIRST_DAY: Final = date(2009, 1, 3)
"""That of the genesis block of bitcoin."""
LAST_DAY: Final = date(2100, 1, 1)
"""What is known now is what is known by then."""

NOT_VERSIONED: Final[Mapping[str, str]] = {
    "blocks": "the chain is the one of now; when a block lost a reorganisation is not stored",
    "attribution_sets": "a set counts from its first computation here; of changes of the current set only the last is stored",
    "asymmetry": "a day is stored as known at its own end and as known now; the newest whole day is the one before",
    "formulas": "every figure uses the formulas of this version",
    "series": "include-lists and catalogue entries are those of now",
    "rules": "a rule counts from the first step of its alerts; a rule without a step by the day is not stored",
}
"""What the tables have no history of, or only a part, and what stands in its place."""

_WHY: Final[Mapping[Section, str]] = {
    "attribution": "another registry or entity map",
    "concentration": "the blocks are attributed by another set",
    "releases": "published, revised or withdrawn since",
    "asymmetry": "releases published since, or another set",
    "rules": "the rule was edited since",
    "alerts": "a step was taken back since",
}
_WHY_NEW: Final[Mapping[Section, str]] = {"releases": "published since", "rules": "its first step came later"}


@dataclass(frozen=True, slots=True)
class Known:
    """Facts about one day by section and name. `hindsight` names where the tables had nothing from that time and what stands in."""

    facts: Mapping[Section, Mapping[str, Value]]
    hindsight: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that differs; None where one side does not have it."""

    section: Section
    name: str
    then: Value
    now: Value
    why: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """A day by two states of knowledge. `height` is the last block with a header time of the day or before."""

    day: date
    chain: str
    window_blocks: int
    height: int
    time: datetime
    then: Known
    now: Known
    changes: tuple[str, ...] = ()
    """What differs between the two attribution sets, in words."""

    def in_section(self, section: Section) -> list[tuple[str, Value, Value]]:
        """(name, then, now) of every fact that either side has; None where one does not have it."""
        then, now = self.then.facts.get(section, {}), self.now.facts.get(section, {})
        return [(name, then.get(name), now.get(name)) for name in dict.fromkeys((*then, *now))]

    @property
    def differences(self) -> list[Difference]:
        """Every fact that differs, by section and name."""
        return [
            Difference(section, name, then, now, _why(section, new=name not in self.then.facts.get(section, {})))
            for section in SECTIONS
            for name, then, now in self.in_section(section)
            if then != now
        ]

    def to_json(self) -> dict[str, Any]:
        """Every field."""
        return {
            "day": self.day.isoformat(),
            "chain": self.chain,
            "window_blocks": self.window_blocks,
            "height": self.height,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "then": {section: dict(self.then.facts.get(section, {})) for section in SECTIONS},
            "now": {section: dict(self.now.facts.get(section, {})) for section in SECTIONS},
            "differences": [
                {"section": one.section, "name": one.name, "then": one.then, "now": one.now, "why": one.why}
                for one in self.differences
            ],
            "changes_of_the_set": list(self.changes),
            "hindsight": list(self.then.hindsight),
            "not_versioned": dict(NOT_VERSIONED),
        }


def _why(section: Section, *, new: bool) -> str:
    return _WHY_NEW.get(section, _WHY[section]) if new else _WHY[section]


def set_changes(then: Mapping[str, Any], now: Mapping[str, Any], day: date) -> list[str]:
    """What differs between the documents of two attribution sets: pools, and memberships on a day.

    >>> one = {"registry": {"pools": [{"slug": "a"}, {"slug": "b", "tags": ["/b/"]}]}, "entities": {"groups": []}}
    >>> other = {"registry": {"pools": [{"slug": "b"}, {"slug": "c"}]}, "entities": {"groups": []}}
    >>> set_changes(one, other, date(2024, 6, 30))
    ['1 pool added: c', '1 pool removed: a', '1 pool with other tags, addresses or names: b']
    """
    before, after = _pools(then), _pools(now)
    joined, left = _members(then, day), _members(now, day)
    groups = (
        ("added", sorted(after.keys() - before.keys())),
        ("removed", sorted(before.keys() - after.keys())),
        (
            "with other tags, addresses or names",
            sorted(slug for slug in before.keys() & after.keys() if before[slug] != after[slug]),
        ),
    )
    words = [_counted("pool", names, what) for what, names in groups if names]
    memberships = (("added", sorted(left - joined)), ("removed", sorted(joined - left)))
    return words + [_counted("membership", names, f"on the day {what}") for what, names in memberships if names]


def _counted(noun: str, names: list[str], what: str) -> str:
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} {what}: {shown}"


def _pools(document: Mapping[str, Any]) -> dict[str, Any]:
    return {pool["slug"]: {**pool, "link": ""} for pool in document["registry"]["pools"]}


def _members(document: Mapping[str, Any], day: date) -> set[str]:
    at = day.isoformat()
    return {
        f"{member['pool']} in {group['slug']}"
        for group in document["entities"]["groups"]
        for member in group["members"]
        if member.get("start", "") <= at and (not member.get("end") or at < member["end"])
    }


def shown(value: Value) -> str:
    """A fact as text.

    >>> shown(0.741549), shown(None), shown(True), shown(1234)
    ('0.74155', '–', 'yes', '1234')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def parse_day(text: str) -> date:
    """A UTC day from FIRST_DAY to LAST_DAY. ValueError, with words for people, for anything else.

    >>> parse_day("2024-06-30")
    datetime.date(2024, 6, 30)
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"day {text[:40]!r}: expected a day such as 2024-06-30") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"day {day}: expected a day from {FIRST_DAY} to {LAST_DAY}")
    return day
