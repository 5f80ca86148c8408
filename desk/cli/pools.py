"""`counterpoise pools`: show the registry, test evidence on it, import and check registry files."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from counterpoise.errors import ConfigError
from desk.cli.completed_names import pool_names
from desk.cli.console import Console, cell
from desk.cli.options import JsonOption, number
from desk.cli.say import say
from desk.cli.whole_file import whole_file

if TYPE_CHECKING:
    from counterpoise.pools.attribution import Attribution
    from counterpoise.pools.pool_registry import Pool
    from desk.registry_import import TagKind

MAX_SCRIPT_BYTES = 10_000

pools_app = typer.Typer(no_args_is_help=True, add_completion=False)

RegistryOption = Annotated[
    Path | None, typer.Option("--registry", help="A registry file; the default is the shipped one.")
]


@pools_app.command("list")
def list_pools(registry: RegistryOption = None, as_json: JsonOption = False) -> None:
    """List every pool with its code and how much evidence the registry has for it."""
    from counterpoise.pools.registry_file import load_registry

    loaded = load_registry(registry)
    if as_json:
        _print_json([_pool_fields(pool) for pool in loaded])
        return
    _print_table(
        f"{len(loaded)} pools, {loaded.version[:12]}",
        ("code", "slug", "name", "tags", "addresses", "also known as"),
        [(str(p.code), p.slug, p.name, str(len(p.tags)), str(len(p.addresses)), ", ".join(p.aliases)) for p in loaded],
    )


@pools_app.command("show")
def show_pool(
    slug: Annotated[
        str, typer.Argument(help="A slug, name or alias, such as foundry-usa or 'Slush'.", autocompletion=pool_names)
    ],
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the entries of the registry and the entity map for one pool."""
    from counterpoise.pools.entity_map import load_entity_map
    from counterpoise.pools.registry_file import load_registry

    loaded = load_registry(registry)
    pool = loaded.find(slug)
    if pool is None:
        known = [name for each in loaded for name in (each.slug, each.name, *each.aliases)]
        near = difflib.get_close_matches(slug, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"pool {slug!r}: not in the {loaded.origin}; {hint}`counterpoise pools list` shows what is")
    memberships = [
        {
            **{"group": group.slug, "start": str(member.start or ""), "end": str(member.end or "")},
            **{"source": member.source, "note": member.note},
        }
        for group in load_entity_map().groups
        for member in group.members
        if member.pool == pool.slug
    ]
    fields = _pool_fields(pool) | {"entities": memberships}
    if as_json:
        _print_json(fields)
        return
    rows = [
        (name, "\n".join(map(_line, value)) if isinstance(value, list) else str(value))
        for name, value in fields.items()
    ]
    _print_table(pool.name, ("field", "value"), rows)


@pools_app.command("attribute")
def attribute(
    coinbase: Annotated[str, typer.Argument(help="The coinbase input script in hexadecimal.")] = "",
    *,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="A payout address; repeat in output order.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="What a file or explorer claims.")] = None,
    time: Annotated[
        int | None, number("--time", least=0, help="Header time, unix seconds: applies active days.")
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which pool the evidence names, with all candidates."""
    from counterpoise.pools.bip34 import coinbase_height
    from counterpoise.pools.evidence import Evidence
    from counterpoise.pools.matcher import Matcher
    from counterpoise.pools.registry_file import load_registry

    evidence = Evidence(_script(coinbase), tuple(address or ()), label)
    if evidence == Evidence():
        raise ConfigError("attribute: no evidence; give a coinbase script in hexadecimal, --address or --label")
    answer = Matcher(load_registry(registry)).attribute(evidence, time)
    height = coinbase_height(evidence.coinbase_script)
    if as_json:
        _print_json(_attribution_fields(answer) | {"bip34_height": height})
        return
    say(f"pool: {answer.slug} (code {answer.code}) by {answer.method}{', CONFLICT' if answer.conflict else ''}")
    if answer.template_builder is not None:
        say(f"template built by: {answer.template_builder}")
    if height is not None:
        say(f"claims height (BIP34): {height}")
    rows = [
        (
            "decides" if place == 0 and answer.method != "none" else "",
            *(found.slug, found.method, repr(found.matched), "" if found.offset is None else str(found.offset)),
        )
        for place, found in enumerate(answer.candidates)
    ]
    _print_table("evidence", ("", "pool", "by", "matched", "at byte"), rows)


@pools_app.command("import")
def import_pools(
    source: Annotated[
        str, typer.Argument(help="A file or https URL: mempool's pools-v2.json or bitcoin-data's pool-list.json.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="Where to write the registry.")],
    tags: Annotated[str, typer.Option("--tags", help="Kind of its tags: regex, text, or auto (by its name).")] = "auto",
    merge: Annotated[bool, typer.Option("--merge", help="Add to the base's evidence instead of replacing it.")] = False,
    base: Annotated[
        Path | None, typer.Option("--base", help="The registry whose slugs and codes stay; the shipped one.")
    ] = None,
    chain: Annotated[str, typer.Option("--chain", help="The chain of its addresses.", metavar="CHAIN")] = "bitcoin",
    force: Annotated[bool, typer.Option("--force", help="Replace the file at --out.")] = False,
) -> None:
    """Convert a public registry to a registry file. Pools join the base by name and alias."""
    from counterpoise.chain.chain_registry import chain_named
    from counterpoise.pools.registry_file import load_registry, render_registry
    from desk.cli.registry_fetch import read_source
    from desk.registry_import import import_registry

    if out.exists() and not force:
        raise ConfigError(f"{out}: exists; choose another --out or add --force")
    kind = _tag_kind(tags, source)
    report = import_registry(
        read_source(source), load_registry(base), origin=source, tag_kind=kind, merge=merge, chain=chain_named(chain)
    )
    note = f"Imported from {source} (tags read as {kind}){', merged' if merge else ''}."
    with whole_file(out) as partial:
        partial.write_text(render_registry(report.registry, note), encoding="utf-8")
    for line in report.skipped:
        say(f"skipped {line}")
    say(
        f"{out}: {len(report.registry)} pools: {len(report.joined)} joined, {len(report.added)} new, "
        f"{len(report.skipped)} facts skipped; {report.registry.version[:12]}"
    )


@pools_app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A registry or entity map file.")],
    registry: RegistryOption = None,
) -> None:
    """Check a registry or entity map file. Exit with 2 and the first mistake."""
    from counterpoise.pools.attribution_set import AttributionSet
    from counterpoise.pools.entity_map import ENTITY_MAP_FORMAT, load_entity_map
    from counterpoise.pools.matcher import Matcher
    from counterpoise.pools.registry_file import load_registry, read_text

    if ENTITY_MAP_FORMAT in read_text(file)[:10_000]:
        entity_map = load_entity_map(file)
        together = AttributionSet(load_registry(registry), entity_map)
        say(
            f"{file}: entity map with {len(entity_map.groups)} groups, {len(together.entity_table.boundaries)} dates; good"
        )
        return
    loaded = load_registry(file)
    tags = sum(len(pool.tags) for pool in loaded)
    Matcher(loaded)
    say(f"{file}: registry with {len(loaded)} pools, {tags} tags, {len(loaded.by_address)} addresses; good")


def _print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=Text(title))
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        # Text, because names and tags come from files and may hold rich's markup.
        table.add_row(*map(cell, row))
    Console(highlight=False).print(table)


def _print_json(value: object) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))


def _line(value: Any) -> str:
    return ", ".join(f"{key} {part}" for key, part in value.items() if part) if isinstance(value, dict) else str(value)


def _pool_fields(pool: Pool) -> dict[str, Any]:
    return {
        "code": pool.code,
        "slug": pool.slug,
        "name": pool.name,
        "aliases": list(pool.aliases),
        "tags": [{"tag": tag.text, "regex": tag.is_regex, "weak": tag.is_weak} for tag in pool.tags],
        "addresses": list(pool.addresses),
        "active_from": str(pool.active_from or ""),
        "active_to": str(pool.active_to or ""),
        "template_format": pool.template_format or "",
        "link": pool.link,
    }


def _attribution_fields(answer: Attribution) -> dict[str, Any]:
    return {
        **{"slug": answer.slug, "code": answer.code, "method": answer.method},
        **{"matched": answer.matched, "offset": answer.offset, "conflict": answer.conflict},
        "template_builder": answer.template_builder,
        "candidates": [candidate._asdict() for candidate in answer.candidates],
    }


def _script(text: str) -> bytes:
    try:
        script = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"coinbase {text[:60]!r}: expected hexadecimal digits, two for each byte") from error
    if len(script) > MAX_SCRIPT_BYTES:
        raise ConfigError(f"coinbase: {len(script)} bytes, expected at most {MAX_SCRIPT_BYTES}")
    return script


def _tag_kind(tags: str, source: str) -> TagKind:
    from desk.registry_import import guess_tag_kind

    kinds: dict[str, TagKind] = {"regex": "regex", "text": "text", "auto": guess_tag_kind(source)}
    if tags not in kinds:
        raise ConfigError(f"--tags {tags!r}: expected regex, text or auto")
    return kinds[tags]
