"""The registry: which tags, addresses and names belong to which pool."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NoReturn

from counterpoise.errors import ConfigError

UNKNOWN_CODE = 0
UNKNOWN_SLUG = "unknown"
UNKNOWN_NAME = "Unknown"
MAX_CODE = 60_000
"""Codes are stored as 16-bit integers; the rest of the range is left to entity groups."""

MAX_TAGS = 10_000
MAX_TAG_BYTES = 256


@dataclass(frozen=True, slots=True)
class Tag:
    """A text that a pool writes into its coinbase scripts; upper and lower case are the same.

    `is_regex`: `text` is a regular expression of RE2's syntax. `is_weak`: the text names software or a protocol rather than an
    operator (`ckpool`, which many pools run), so it decides only where no other tag is present.
    """

    text: str
    is_regex: bool = False
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool. `code` is its number for ever, `slug` its name in SQL and URLs.

    `aliases` are slugs and names used elsewhere. `active_from` and `active_to` (both inclusive, either may be absent) bound the time
    in which its *tags* count. `template_format` is "datum" or "stratum-v2" where the pool's miners build templates and sign them so.
    """

    slug: str
    name: str
    code: int
    tags: tuple[Tag, ...] = ()
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    active_from: date | None = None
    active_to: date | None = None
    template_format: str | None = None
    link: str = ""


def label_key(text: str) -> str:
    """Return what two spellings of one pool name share: letters and digits, case and width folded; symbols where it has none.

    >>> label_key("Foundry USA") == label_key("foundryusa")
    True
    >>> label_key("BTCPool (unidentified)")
    'btcpoolunidentified'
    >>> label_key("🐟\\ufe0f ") == label_key("🐟")
    True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    key = "".join(character for character in folded if character.isalnum())
    return key or "".join(character for character in folded if unicodedata.category(character) == "So")


def _label_keys(pool: Pool) -> list[str]:
    """Return the distinct keys of a pool's labels."""
    return [key for key in dict.fromkeys(map(label_key, (pool.slug, pool.name, *pool.aliases))) if key]


@dataclass(frozen=True)
class Registry:
    """Pools in ascending order of code, checked against each other.

    Raises ConfigError, naming `origin`, the pool, the field, the value and what was expected, where two pools share a code, slug,
    label, address or tag, or where there are too many. `origin` is for messages only and no part of equality.
    """

    pools: tuple[Pool, ...]
    origin: str = field(default="registry", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pools", tuple(sorted(self.pools, key=lambda pool: pool.code)))
        self._check()

    def __iter__(self) -> Iterator[Pool]:
        return iter(self.pools)

    def __len__(self) -> int:
        return len(self.pools)

    @cached_property
    def version(self) -> str:
        """SHA-256 (hex) of all that attribution depends on; a pool's link is not part of it."""
        content = [
            [
                *(pool.code, pool.slug, pool.name),
                sorted([tag.text, tag.is_regex, tag.is_weak] for tag in pool.tags),
                *(sorted(pool.addresses), sorted(pool.aliases)),
                *(str(pool.active_from or ""), str(pool.active_to or ""), pool.template_format or ""),
            ]
            for pool in self.pools
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def max_code(self) -> int:
        """The largest code in use, 0 for an empty registry."""
        return max((pool.code for pool in self.pools), default=UNKNOWN_CODE)

    @cached_property
    def by_slug(self) -> Mapping[str, Pool]:
        """Pool of each slug."""
        return {pool.slug: pool for pool in self.pools}

    @cached_property
    def by_address(self) -> Mapping[str, Pool]:
        """Pool of each payout address."""
        return {address: pool for pool in self.pools for address in pool.addresses}

    @cached_property
    def by_label_key(self) -> Mapping[str, Pool]:
        """Pool of each slug, name and alias, by `label_key`."""
        return {key: pool for pool in self.pools for key in _label_keys(pool)}

    def find(self, label: str) -> Pool | None:
        """Return the pool that a slug, name or alias means, in any case and punctuation, or None."""
        return self.by_label_key.get(label_key(label))

    def _check(self) -> None:
        codes: dict[Any, Pool] = {}
        slugs: dict[Any, Pool] = {}
        labels: dict[Any, Pool] = {label_key(UNKNOWN_SLUG): Pool(UNKNOWN_SLUG, UNKNOWN_NAME, UNKNOWN_CODE)}
        addresses: dict[Any, Pool] = {}
        tags: dict[Any, Pool] = {}
        for pool in self.pools:
            self._own(codes, pool.code, pool, "code", "a unique number")
            self._own(slugs, pool.slug, pool, "slug", "a unique slug")
            for key in _label_keys(pool):
                self._own(labels, key, pool, "aliases", "names that no other pool has")
            for address in pool.addresses:
                self._own(addresses, address, pool, "addresses", "an address of one pool only")
            for tag in pool.tags:
                self._own(tags, (tag.text.casefold(), tag.is_regex), pool, "tags", "a tag of one pool only")
        if len(tags) > MAX_TAGS:
            raise ConfigError(f"{self.origin}: {len(tags)} tags, expected at most {MAX_TAGS}; remove some")

    def _own(self, seen: dict[Any, Pool], key: Any, pool: Pool, name: str, expected: str) -> None:
        other = seen.setdefault(key, pool)
        if other is not pool:
            value = key[0] if isinstance(key, tuple) else key
            raise ConfigError(
                f"{self.origin}: pool {pool.slug!r}: {name}: {value!r} also belongs to pool {other.slug!r}, "
                f"expected {expected}; remove it from one of them"
            )


def reject(origin: str, where: str, name: str, value: object, expected: str) -> NoReturn:
    """Raise the ConfigError for one wrong value of a registry or entity file."""
    shown = repr(value)
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    raise ConfigError(f"{origin}: {where}: {name}: {shown}, expected {expected}")
