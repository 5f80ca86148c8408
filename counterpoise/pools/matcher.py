"""From evidence to a pool, by rules that are the same everywhere and for ever under one `RULES_VERSION`.

1. Every payout address that the registry lists and every tag in the coinbase script is a candidate and is recorded.
2. Among tags, one outside its pool's active time is dropped, then weak ones where a strong one or an address is left, then one
   inside another (`/ViaBTC/` inside `/ViaBTC/TATMAS Pool/`, `EMC` inside `/EMCD/`). The longest of the rest wins, the first in
   the script if equal.
3. An address beats a tag; the first listed output wins among addresses. A label decides only where both are silent.
4. Whatever counts (not dropped in 2) and names another pool than the winner makes the attribution a conflict.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from counterpoise.pools.attribution import Attribution, Candidate, Method
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.patterns import TagPatterns
from counterpoise.pools.pool_registry import UNKNOWN_CODE, UNKNOWN_SLUG, Pool, Registry, Tag, label_key
from counterpoise.pools.template_builder import TEMPLATE_BUILDERS

RULES_VERSION = 1
"""Raised with every change of the rules above, so that a stored attribution id always means the same answers."""

ACTIVE_TOLERANCE_SECONDS = 180 * 86_400
"""How far outside its active days a pool's tag still counts: launch and closing days in public sources are approximate, header
times are loose, and the dates are there to keep a short tag of a dead pool from claiming blocks years later."""

_NOTHING = Attribution(UNKNOWN_SLUG, UNKNOWN_CODE, "none")


class _Hit(NamedTuple):
    pool: Pool
    tag: Tag
    start: int
    end: int

    def candidate(self) -> Candidate:
        return Candidate(self.pool.slug, "tag", self.tag.text, self.start)


class Matcher:
    """Attributes blocks by one registry; immutable after construction and safe to share between threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._tags = [(pool, tag) for pool in registry for tag in pool.tags]
        self._patterns = TagPatterns([tag for _, tag in self._tags], registry.origin)
        self._by_address = dict(registry.by_address)
        self._active = {pool.slug: _active_seconds(pool) for pool in registry}

    def attribute(self, evidence: Evidence, time: int | None = None) -> Attribution:
        """Return the pool of one block, "unknown" where nothing names one.

        `time` is the header time in unix seconds; without it every tag counts whatever its pool's active days. Never raises,
        whatever the bytes, addresses and label are.
        """
        payouts = self._payouts(evidence.payout_addresses) if evidence.payout_addresses else []
        hits = self._hits(evidence.coinbase_script) if evidence.coinbase_script else []
        counting = self._counting(hits, time, is_paid=bool(payouts)) if hits else []
        claimed = self._labelled(evidence.label)
        if not payouts and not hits and claimed is None:
            return _NOTHING

        named: list[tuple[Pool, Candidate]] = list(payouts)
        named += [(hit.pool, hit.candidate()) for hit in counting]
        silent = [hit.candidate() for hit in hits if hit not in counting]
        if claimed is not None:
            pool, candidate = claimed
            if pool is None:
                silent.append(candidate)
            else:
                named.append((pool, candidate))
        if not named:
            return Attribution(UNKNOWN_SLUG, UNKNOWN_CODE, "none", candidates=tuple(silent))
        winner, decided = named[0]
        return Attribution(
            slug=winner.slug,
            code=winner.code,
            method=decided.method,
            matched=decided.matched,
            offset=decided.offset,
            candidates=(*(candidate for _, candidate in named), *silent),
            conflict=any(pool is not winner for pool, _ in named),
            template_builder=self._template_builder(winner, evidence.coinbase_script, counting),
        )

    def _template_builder(self, pool: Pool, script: bytes, hits: Sequence[_Hit]) -> str | None:
        if pool.template_format is None:
            return None
        ends = (hit.end for hit in hits if hit.pool is pool)
        return TEMPLATE_BUILDERS[pool.template_format](script, next(ends, None))

    def attribute_labels(self, labels: Sequence[str | None]) -> NDArray[np.uint16]:
        """Return the pool code of each label, 0 where it is None or not in the registry; shape (len(labels),)."""
        codes = {label: self._label_code(label) for label in set(labels)}
        return np.fromiter(map(codes.__getitem__, labels), dtype=np.uint16, count=len(labels))

    def _label_code(self, label: str | None) -> int:
        claimed = self._labelled(label)
        return UNKNOWN_CODE if claimed is None or claimed[0] is None else claimed[0].code

    def _labelled(self, label: str | None) -> tuple[Pool | None, Candidate] | None:
        key = label_key(label) if label else ""
        if label is None or key in ("", UNKNOWN_SLUG):
            return None
        pool = self._registry.by_label_key.get(key)
        method: Method = "label"
        return pool, Candidate(UNKNOWN_SLUG if pool is None else pool.slug, method, label, None)

    def _payouts(self, addresses: Sequence[str]) -> list[tuple[Pool, Candidate]]:
        found: dict[str, tuple[Pool, Candidate]] = {}
        for address in addresses:
            pool = self._by_address.get(address)
            if pool is not None and address not in found:
                found[address] = (pool, Candidate(pool.slug, "address", address, None))
        return list(found.values())

    def _hits(self, script: bytes) -> list[_Hit]:
        hits = [_Hit(*self._tags[index], start, end) for index, start, end in self._patterns.find(script)]
        return sorted(hits, key=lambda hit: (hit.start - hit.end, hit.start, hit.pool.code))

    def _counting(self, hits: list[_Hit], time: int | None, *, is_paid: bool) -> list[_Hit]:
        """Return the hits that rule 2 leaves, the best first; `hits` are sorted longest first."""
        active = [hit for hit in hits if time is None or self._is_active(hit.pool, time)]
        strong = [hit for hit in active if not hit.tag.is_weak]
        outermost: list[_Hit] = []
        for hit in strong if strong or is_paid else active:
            if not any(other.start <= hit.start and hit.end <= other.end for other in outermost):
                outermost.append(hit)
        return outermost

    def _is_active(self, pool: Pool, time: int) -> bool:
        first, last = self._active[pool.slug]
        return first <= time <= last


def _active_seconds(pool: Pool) -> tuple[float, float]:
    """Return the first and last second at which the pool's tags count, tolerance included."""
    first = -np.inf if pool.active_from is None else _midnight(pool.active_from) - ACTIVE_TOLERANCE_SECONDS
    last = np.inf if pool.active_to is None else _midnight(pool.active_to) + 86_399 + ACTIVE_TOLERANCE_SECONDS
    return first, last


def _midnight(day: date) -> int:
    return timegm(day.timetuple())
