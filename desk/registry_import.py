"""Reading the two public registries into the product's own terms.

Both publish a JSON list of pools with `name`, `tags`, `addresses` and `link` (mempool's pools-v2.json, bitcoin-data's
pool-list.json); older files of both are an object of `coinbase_tags` and `payout_addresses`. They differ in what a tag is:
mempool's are regular expressions, bitcoin-data's are plain texts. Their ids mean nothing outside their file and are ignored.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from counterpoise.chain.chain import Chain
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.documents import DocumentError, parse_json
from counterpoise.errors import ConfigError
from counterpoise.pools.addresses import normal_address
from counterpoise.pools.checked_document import MAX_TEXT_CHARACTERS
from counterpoise.pools.patterns import METACHARACTERS
from counterpoise.pools.pool_registry import UNKNOWN_SLUG, Pool, Registry, Tag, label_key, reject
from counterpoise.pools.registry_file import checked_tag

TagKind = Literal["regex", "text"]
MAX_POOLS = 5_000
MAX_IMPORT_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import gave: the registry, the slugs it `joined` to pools of the base and those it `added`, and a line for each fact
    that it `skipped` with the reason.
    """

    registry: Registry
    joined: tuple[str, ...]
    added: tuple[str, ...]
    skipped: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """One pool of the imported file, its rows collected."""

    name: str
    names: list[str] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    link: str = ""


def guess_tag_kind(origin: str) -> TagKind:
    """Return what the tags of a file are, from its name or URL: plain texts in bitcoin-data's, otherwise patterns like mempool's."""
    return "text" if "pool-list" in origin or "bitcoin-data" in origin else "regex"


def import_registry(
    data: bytes,
    base: Registry,
    *,
    origin: str,
    tag_kind: TagKind | None = None,
    merge: bool = False,
    chain: Chain = CHAINS["bitcoin"],
) -> ImportReport:
    """Return `base` with the tags and addresses of a public registry file.

    Pools join those of `base` by name, slug or alias and keep their slug, code, active days and weak tags; others get a slug
    from their name and the codes after the largest of `base`, in the order of their folded names, so that the same file gives
    the same registry whatever the order in it. Without `merge` the evidence is the file's alone (pools that it lacks stay, for
    labels and codes, without evidence); with `merge` the file's is added and what belongs to another pool of `base` is skipped.
    An address that is none of `chain`, or that an earlier pool has, is skipped and reported. ConfigError, naming the pool and
    the value, for a file that is neither format and for a tag that cannot be used.
    """
    kind = tag_kind or guess_tag_kind(origin)
    drafts = _collect(_rows(data, origin), base, kind, origin)
    skipped: list[str] = []
    owners = _Owners(base if merge else None, skipped, chain)
    joined: dict[str, Pool] = {}
    added: list[Pool] = []
    code = base.max_code
    slugs = set(base.by_slug) | {UNKNOWN_SLUG}
    for key, draft in sorted(drafts.items()):
        known = base.by_label_key.get(key)
        if known is None:
            code += 1
            pool = Pool(_free_slug(draft.name, slugs), draft.name, code, link=draft.link)
            slugs.add(pool.slug)
        else:
            pool = known if merge else replace(known, tags=(), addresses=())
        weak = {tag.text.casefold() for tag in known.tags if tag.is_weak} if known is not None else set()
        pool = replace(
            pool,
            tags=(*pool.tags, *owners.free_tags(pool, draft.tags, weak)),
            addresses=(*pool.addresses, *owners.free_addresses(pool, draft.addresses)),
            aliases=(*pool.aliases, *_new_aliases(pool, draft.names)),
        )
        if known is None:
            added.append(pool)
        else:
            joined[pool.slug] = pool
    kept = [joined.get(pool.slug, pool if merge else replace(pool, tags=(), addresses=())) for pool in base]
    return ImportReport(
        Registry((*kept, *added), origin), tuple(joined), tuple(pool.slug for pool in added), tuple(skipped)
    )


class _Owners:
    """Who has which tag and address while an import is put together; what is taken is skipped with a line."""

    def __init__(self, base: Registry | None, skipped: list[str], chain: Chain) -> None:
        self._chain = chain
        pools = () if base is None else base.pools
        self._addresses = {address: pool.slug for pool in pools for address in pool.addresses}
        self._tags = {(tag.text.casefold(), tag.is_regex): pool.slug for pool in pools for tag in pool.tags}
        self._skipped = skipped

    def free_tags(self, pool: Pool, tags: Iterable[Tag], weak: set[str]) -> list[Tag]:
        free: list[Tag] = []
        for tag in tags:
            key = (tag.text.casefold(), tag.is_regex)
            if (owner := self._tags.setdefault(key, pool.slug)) != pool.slug:
                self._skipped.append(f"{pool.slug}: tag {tag.text!r} belongs to {owner}")
            elif tag not in pool.tags and key not in {(t.text.casefold(), t.is_regex) for t in (*pool.tags, *free)}:
                free.append(replace(tag, is_weak=tag.text.casefold() in weak))
        return free

    def free_addresses(self, pool: Pool, addresses: Iterable[str]) -> list[str]:
        free: list[str] = []
        for text in addresses:
            address = normal_address(text, self._chain.addresses)
            if address is None:
                self._skipped.append(
                    f"{pool.slug}: address {text!r} is no {self._chain.name} address{_chains_of(text)}"
                )
            elif (owner := self._addresses.setdefault(address, pool.slug)) != pool.slug:
                self._skipped.append(f"{pool.slug}: address {address!r} belongs to {owner}")
            elif address not in pool.addresses and address not in free:
                free.append(address)
        return free


def _chains_of(text: str) -> str:
    found = [name for name, chain in CHAINS.items() if normal_address(text, chain.addresses) is not None]
    return f": import it with --chain {' or '.join(found)}" if found else ""


def _rows(data: bytes, origin: str) -> list[dict[str, Any]]:
    """Return the pools of either format as dictionaries with name, tags, addresses and link."""
    if len(data) > MAX_IMPORT_BYTES:
        raise ConfigError(f"{origin}: {len(data)} bytes, expected a registry of at most {MAX_IMPORT_BYTES}")
    try:
        document = parse_json(data, MAX_IMPORT_BYTES)
    except DocumentError as error:
        raise ConfigError(
            f"{origin}: not JSON{error.place}: {error}; expected pools-v2.json or pool-list.json"
        ) from error
    if isinstance(document, dict) and isinstance(document.get("coinbase_tags"), dict):
        rows = _old_rows(document, origin)
    elif isinstance(document, list):
        rows = document
    else:
        raise ConfigError(
            f"{origin}: neither a list of pools nor an object with coinbase_tags; expected a public registry"
        )
    if not 1 <= len(rows) <= MAX_POOLS:
        raise ConfigError(f"{origin}: {len(rows)} pools, expected 1 to {MAX_POOLS}")
    for index, row in enumerate(rows, start=1):
        name = row.get("name") if isinstance(row, dict) else None
        if not isinstance(name, str) or not label_key(name) or len(name) > MAX_TEXT_CHARACTERS:
            reject(origin, f"pool number {index}", "name", name, "a pool with a name of letters or digits")
        for part in ("tags", "addresses"):
            values = row.get(part, [])
            if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
                reject(origin, f"pool {name!r}", part, values, "a list of texts")
    return rows


def _old_rows(document: dict[str, Any], origin: str) -> list[dict[str, Any]]:
    rows = []
    for part, name in (("coinbase_tags", "tags"), ("payout_addresses", "addresses")):
        entries = document.get(part, {})
        if not isinstance(entries, dict):
            reject(origin, "document", part, entries, "an object")
        for value, pool in entries.items():
            if not isinstance(pool, dict):
                reject(origin, part, value, pool, "an object with a name")
            rows.append({"name": pool.get("name"), "link": pool.get("link", ""), name: [value]})
    return rows


def _collect(rows: list[dict[str, Any]], base: Registry, kind: TagKind, origin: str) -> dict[str, _Draft]:
    """Return one draft for each pool, keyed by its canonical folded name: rows that mean the same pool become one."""
    drafts: dict[str, _Draft] = {}
    for row in rows:
        name = row["name"].strip()
        known = base.find(name)
        key = label_key(known.slug) if known is not None else label_key(name)
        draft = drafts.setdefault(key, _Draft(name))
        draft.names.append(name)
        draft.addresses += row.get("addresses", [])
        draft.link = draft.link or (row["link"] if isinstance(row.get("link"), str) else "")
        for text in row.get("tags", []):
            tag = Tag(text, is_regex=kind == "regex" and not METACHARACTERS.isdisjoint(text))
            draft.tags.append(checked_tag(origin, f"pool {name!r}", tag))
    return drafts


def _new_aliases(pool: Pool, names: Iterable[str]) -> list[str]:
    seen = {label_key(label) for label in (pool.slug, pool.name, *pool.aliases)}
    new = []
    for name in names:
        if label_key(name) not in seen:
            seen.add(label_key(name))
            new.append(name)
    return new


def _free_slug(name: str, taken: set[str]) -> str:
    """Return a slug from a name: its ASCII letters and digits, or a digest where it has none, numbered where it is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:48].strip("-")
    stem = stem or "pool-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    return slug
