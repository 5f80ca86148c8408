"""The dated map from pools to the entities that own or control them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from counterpoise.pools.checked_document import Section, load_yaml
from counterpoise.pools.pool_registry import UNKNOWN_SLUG, Registry, reject
from counterpoise.pools.registry_file import read_text

ENTITY_MAP_FORMAT = "counterpoise-entities/1"
SHIPPED_ENTITY_MAP = "entities.yaml"
MAX_GROUPS = 1_000

Confidence = Literal["documented", "month", "assumed", ""]
"""What the source states about the dates of a membership: it gives the days; it gives the month and the day is assumed; it names the
membership and no date. Empty where the map does not state it."""
_CONFIDENCES: Final = tuple(one for one in get_args(Confidence) if one)


@dataclass(frozen=True, slots=True)
class Membership:
    """One pool in one group from `start` (inclusive) to `end` (exclusive), both at midnight UTC; None is open.

    `source` is where that is published, `note` what is assumed beyond it. `seen` is the day of a published observation of the
    membership, where there is one, and `seen_in` its source: the pool had joined by then.
    """

    pool: str
    start: date | None
    end: date | None
    source: str
    note: str = ""
    confidence: Confidence = ""
    seen: date | None = None
    seen_in: str = ""


@dataclass(frozen=True, slots=True)
class EntityGroup:
    """One entity of several pools."""

    slug: str
    name: str
    members: tuple[Membership, ...]
    note: str = ""


@dataclass(frozen=True)
class EntityMap:
    """Groups in the order of the file, which fixes their codes: new groups go to the end.

    Raises ConfigError where two groups share a slug or a pool is in two groups (or twice in one) at the same time.
    """

    groups: tuple[EntityGroup, ...]
    origin: str = field(default="entity map", compare=False)

    def __post_init__(self) -> None:
        slugs: set[str] = set()
        spans: dict[str, list[tuple[date, date, str]]] = {}
        for group in self.groups:
            if group.slug in slugs or group.slug == UNKNOWN_SLUG:
                reject(self.origin, f"group {group.slug!r}", "slug", group.slug, "a unique slug")
            slugs.add(group.slug)
            for member in group.members:
                spans.setdefault(member.pool, []).append((member.start or date.min, member.end or date.max, group.slug))
        for pool, dated in spans.items():
            dated.sort()
            for (_, end, first), (start, _, second) in pairwise(dated):
                if start < end:
                    reject(
                        *(self.origin, f"group {second!r}", "pool", pool),
                        f"a pool in one group at a time, but it is in {first!r} until {end.isoformat()}",
                    )

    @cached_property
    def version(self) -> str:
        """SHA-256 (hex) of all that the entity view depends on; sources, notes and confidence are not part of it."""
        content = [
            [
                *(group.slug, group.name),
                sorted([m.pool, str(m.start or ""), str(m.end or "")] for m in group.members),
            ]
            for group in self.groups
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()

    def check_against(self, registry: Registry) -> None:
        """Raise ConfigError where a member is no pool of the registry or a group's slug is a pool's."""
        for group in self.groups:
            if group.slug in registry.by_slug:
                reject(self.origin, f"group {group.slug!r}", "slug", group.slug, "a slug that is no pool's")
            for member in group.members:
                if member.pool not in registry.by_slug:
                    reject(
                        self.origin, f"group {group.slug!r}", "pool", member.pool, f"a slug of the {registry.origin}"
                    )


def load_entity_map(path: Path | None = None) -> EntityMap:
    """Return the entity map in a file, or the shipped one; ConfigError explains what is wrong."""
    if path is None:
        shipped = resources.files("counterpoise.pools") / "data" / SHIPPED_ENTITY_MAP
        return parse_entity_map(shipped.read_text(encoding="utf-8"), "shipped entity map")
    return parse_entity_map(read_text(path), str(path))


def parse_entity_map(text: str, origin: str) -> EntityMap:
    """Return the entity map that a YAML text holds; `origin` names it in messages."""
    return entity_map_from_document(load_yaml(text, origin), origin)


def entity_map_document(entity_map: EntityMap) -> dict[str, Any]:
    """Return the map as plain values, days in ISO form; `entity_map_from_document` is its inverse."""
    return {
        "format": ENTITY_MAP_FORMAT,
        "groups": [
            {
                **{"slug": group.slug, "name": group.name},
                **({"note": group.note} if group.note else {}),
                "members": [_membership_document(member) for member in group.members],
            }
            for group in entity_map.groups
        ],
    }


def entity_map_from_document(document: object, origin: str) -> EntityMap:
    """Return the entity map that plain values describe, every field checked. A map without groups is allowed."""
    section = Section.of(origin, "document", document, ("format", "groups"))
    if section.values.get("format") != ENTITY_MAP_FORMAT:
        section.fail("format", section.values.get("format"), repr(ENTITY_MAP_FORMAT))
    groups = section.items("groups")
    if len(groups) > MAX_GROUPS:
        section.fail("groups", f"{len(groups)} groups", f"at most {MAX_GROUPS}")
    return EntityMap(tuple(_group(origin, index, value) for index, value in enumerate(groups, start=1)), origin)


def _membership_document(member: Membership) -> dict[str, Any]:
    document: dict[str, Any] = {"pool": member.pool}
    if member.start is not None:
        document["start"] = member.start.isoformat()
    if member.end is not None:
        document["end"] = member.end.isoformat()
    document["source"] = member.source
    if member.confidence:
        document["confidence"] = member.confidence
    if member.seen is not None:
        document |= {"seen": member.seen.isoformat(), "seen_in": member.seen_in}
    if member.note:
        document["note"] = member.note
    return document


def _group(origin: str, index: int, value: object) -> EntityGroup:
    section = Section.of(origin, f"group number {index}", value, ("slug", "name", "note", "members"))
    slug = section.slug("slug")
    section = section.named(f"group {slug!r}")
    members = section.items("members")
    if not members:
        section.fail("members", members, "at least one member")
    return EntityGroup(
        slug, section.text("name"), tuple(_member(section, m) for m in members), section.text("note", "")
    )


_FIELDS: Final = ("pool", "start", "end", "source", "confidence", "seen", "seen_in", "note")


def _member(group: Section, value: object) -> Membership:
    section = Section.of(group.origin, f"{group.where}: members", value, _FIELDS)
    start, end, seen = section.day("start"), section.day("end"), section.day("seen")
    if start is not None and end is not None and start >= end:
        section.fail("end", end.isoformat(), f"a day after start {start.isoformat()}")
    if seen is not None and not (start or seen) <= seen < (end or date.max):
        section.fail("seen", seen.isoformat(), "a day within the membership")
    confidence = section.text("confidence", "")
    if confidence and confidence not in _CONFIDENCES:
        section.fail("confidence", confidence, "one of " + ", ".join(_CONFIDENCES))
    seen_in = section.text("seen_in", "" if seen is None else None)
    if seen is None and seen_in:
        section.fail("seen", None, "the day of the observation in seen_in")
    return Membership(
        section.slug("pool"),
        start,
        end,
        section.text("source"),
        section.text("note", ""),
        cast("Confidence", confidence),
        seen,
        seen_in,
    )
