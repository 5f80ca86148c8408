"""`counterpoise rules diff`: what two rules files would have sent over a history of blocks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from counterpoise.errors import ConfigError
from counterpoise.formats import counted, utc_minute
from desk.cli.console import Console, cell
from desk.cli.options import JsonOption, number
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.rules.rule import HeightRule, Rule
    from alerts.sent_events import EventOfTwo


def diff_rules(
    old: Annotated[Path, typer.Argument(help="A rules file.")],
    new: Annotated[Path, typer.Argument(help="The rules file that would replace it.")],
    *,
    blocks: Annotated[
        Path | None,
        typer.Option("--blocks", help="A Parquet file of height, pool_slug and date; the dataset if left out."),
    ] = None,
    days: Annotated[
        float | None,
        number("--days", least=0, help="Only the last days up to the tip; all history if left out."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the firings and clearings that each of two rules files would have sent."""
    from alerts.rules.rule import HeightRule
    from alerts.rules_file import load_judged_rules
    from alerts.sent_events import diff_events, sent_events
    from desk.rule_history import open_history

    files = [[rule for rule in load_judged_rules(path) if rule.enabled] for path in (old, new)]
    on_heights = [[rule for rule in rules if isinstance(rule, HeightRule)] for rules in files]
    with open_history(blocks, [rule for rules in on_heights for rule in rules]) as history:
        judged = [[rule for rule in rules if history.judges(rule)] for rules in on_heights]
        if not any(judged):
            raise ConfigError(
                "no rule to compare, expected an enabled rule on the concentration of a chain that is scored"
            )
        sent = [sent_events(rules, history.series, days=days) for rules in judged]
    found = diff_events(*sent)
    if as_json:
        say(json.dumps([_document(one) for one in found], ensure_ascii=False, indent=2))
    else:
        _print(found, [len(one) for one in sent], _not_compared(files, judged))


def _not_compared(files: list[list[Rule]], judged: list[list[HeightRule]]) -> list[str]:
    names = {rule.id for rules in judged for rule in rules}
    return list(dict.fromkeys(rule.id for rules in files for rule in rules if rule.id not in names))


def _document(one: EventOfTwo) -> dict[str, object]:
    return {**asdict(one.event), "old": one.old, "new": one.new}


def _print(found: list[EventOfTwo], counts: list[int], left_out: list[str]) -> None:
    table = Table(title="Firings and clearings", title_justify="left", show_edge=False)
    for column in ("time (UTC)", "height", "rule", "", "old file", "new file"):
        table.add_column(column, justify="right" if column == "height" else "left", overflow="fold")
    for one in found:
        style = "" if one.old and one.new else "bold"
        row = (utc_minute(one.event.time), str(one.event.height), one.event.rule_id, one.event.what)
        table.add_row(*(cell(text, style) for text in (*row, one.old or "not sent", one.new or "not sent")))
    if found:
        Console().print(table)
    both = sum(one.old is not None and one.new is not None for one in found)
    Console().print(
        f"Old file: {counted(counts[0], 'message')}, new file: {counts[1]}, the same in both: {both}.",
        markup=False,
        highlight=False,
    )
    if left_out:
        Console().print(f"Not compared: {', '.join(left_out)}.", markup=False)
