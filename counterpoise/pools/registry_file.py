"""The registry as a document: one format, written as YAML in files and as JSON in the database."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from counterpoise.chain.chain_registry import known_chains
from counterpoise.documents import DocumentError, read_document
from counterpoise.errors import ConfigError
from counterpoise.pools.addresses import normal_address_of_any
from counterpoise.pools.checked_document import Section, dump_yaml, load_yaml
from counterpoise.pools.patterns import check_pattern
from counterpoise.pools.pool_registry import MAX_CODE, MAX_TAG_BYTES, Pool, Registry, Tag, reject
from counterpoise.pools.template_builder import TEMPLATE_BUILDERS

REGISTRY_FORMAT = "counterpoise-registry/1"
SHIPPED_REGISTRY = "registry.yaml"
TEMPLATE_FORMATS = tuple(TEMPLATE_BUILDERS)
_POOL_FIELDS = (
    *("code", "slug", "name", "aliases", "tags", "addresses"),
    *("active_from", "active_to", "template_format", "link"),
)


def load_registry(path: Path | None = None) -> Registry:
    """Return the registry in a file, or the shipped one.

    ConfigError names the file, pool, field, value and expectation where anything is wrong.
    """
    if path is None:
        shipped = resources.files("counterpoise.pools") / "data" / SHIPPED_REGISTRY
        return parse_registry(shipped.read_text(encoding="utf-8"), "shipped registry")
    return parse_registry(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Return a file's UTF-8 text; ConfigError where it cannot be read."""
    try:
        return read_document(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; name an existing file") from error
    except DocumentError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_registry(text: str, origin: str) -> Registry:
    """Return the registry that a YAML text holds; `origin` names it in messages."""
    return registry_from_document(load_yaml(text, origin), origin)


def render_registry(registry: Registry, note: str = "") -> str:
    """Return the YAML text of a registry, each line of `note` as a comment above it."""
    comment = "".join(f"# {line}\n" for line in note.splitlines())
    return comment + dump_yaml(registry_document(registry))


def registry_document(registry: Registry) -> dict[str, Any]:
    """Return the registry as plain values, days in ISO form; `registry_from_document` is its inverse."""
    return {"format": REGISTRY_FORMAT, "pools": [_pool_document(pool) for pool in registry]}


def registry_from_document(document: object, origin: str) -> Registry:
    """Return the registry that plain values describe, every field checked."""
    section = Section.of(origin, "document", document, ("format", "pools"))
    if section.values.get("format") != REGISTRY_FORMAT:
        section.fail("format", section.values.get("format"), repr(REGISTRY_FORMAT))
    pools = section.items("pools")
    if not pools:
        section.fail("pools", pools, "at least one pool")
    return Registry(tuple(_pool(origin, index, value) for index, value in enumerate(pools, start=1)), origin)


def _pool_document(pool: Pool) -> dict[str, Any]:
    document: dict[str, Any] = {"code": pool.code, "slug": pool.slug, "name": pool.name}
    lists: dict[str, list[Any]] = {
        "aliases": list(pool.aliases),
        "tags": [_tag_document(tag) for tag in pool.tags],
        "addresses": list(pool.addresses),
    }
    days = {"active_from": pool.active_from, "active_to": pool.active_to}
    document |= {name: values for name, values in lists.items() if values}
    document |= {name: day.isoformat() for name, day in days.items() if day is not None}
    if pool.template_format:
        document["template_format"] = pool.template_format
    if pool.link:
        document["link"] = pool.link
    return document


def _tag_document(tag: Tag) -> str | dict[str, Any]:
    if not tag.is_regex and not tag.is_weak:
        return tag.text
    document: dict[str, Any] = {"regex" if tag.is_regex else "text": tag.text}
    return document | {"weak": True} if tag.is_weak else document


def _pool(origin: str, index: int, value: object) -> Pool:
    section = Section.of(origin, f"pool number {index}", value, _POOL_FIELDS)
    slug = section.slug("slug")
    section = section.named(f"pool {slug!r}")
    template_format = section.values.get("template_format")
    if template_format is not None and template_format not in TEMPLATE_FORMATS:
        section.fail("template_format", template_format, "one of " + ", ".join(TEMPLATE_FORMATS))
    start, end = section.day("active_from"), section.day("active_to")
    if start is not None and end is not None and start > end:
        section.fail("active_to", end.isoformat(), f"a day on or after active_from {start.isoformat()}")
    return Pool(
        slug=slug,
        name=section.text("name"),
        code=section.integer("code", 1, MAX_CODE),
        tags=tuple(dict.fromkeys(_tag(section, tag) for tag in section.items("tags"))),
        addresses=tuple(dict.fromkeys(_address(section, address) for address in section.texts("addresses"))),
        aliases=section.texts("aliases"),
        active_from=start,
        active_to=end,
        template_format=template_format,
        link=section.text("link", ""),
    )


def _tag(section: Section, value: object) -> Tag:
    if isinstance(value, str):
        tag = Tag(value)
    else:
        fields = Section.of(section.origin, f"{section.where}: tags", value, ("text", "regex", "weak"))
        if len(fields.values.keys() & {"text", "regex"}) != 1 or not isinstance(fields.values.get("weak", False), bool):
            section.fail("tags", value, "a text, or one of text and regex with weak: true or false")
        is_regex = "regex" in fields.values
        tag = Tag(fields.text("regex" if is_regex else "text"), is_regex, fields.values.get("weak", False))
    return checked_tag(section.origin, section.where, tag)


def checked_tag(origin: str, where: str, tag: Tag) -> Tag:
    """Return the tag, or raise ConfigError where it is empty, too long or a pattern that cannot be used."""
    if not tag.text.strip() or len(tag.text.encode()) > MAX_TAG_BYTES:
        reject(origin, where, "tags", tag.text, f"a text of 1 to {MAX_TAG_BYTES} bytes")
    if tag.is_regex and (problem := check_pattern(tag.text)) is not None:
        reject(origin, where, "tags", tag.text, f"a usable pattern ({problem})")
    return tag


def _address(section: Section, value: str) -> str:
    address = normal_address_of_any(value)
    if address is None:
        wanted = f"an address with a right checksum, of one of {known_chains()}"
        reject(section.origin, section.where, "addresses", value, wanted)
    return address
