"""`counterpoise rules`: check a rules file, and ask what its rules would have done over a history of blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from counterpoise.errors import ConfigError
from desk.cli.alerts import show_rules
from desk.cli.console import Console, cell
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.backtest import Backtest
    from alerts.rules.rule import HeightRule
    from alerts.signals.window_counts import WindowCounts

EXIT_OVER_BUDGET = 1

EXIT_MISTAKES = 1

rules_app = typer.Typer(help="Check rules, and see what they would have done.", no_args_is_help=True)


@rules_app.command("check")
def check_rules(
    file: Annotated[Path | None, typer.Argument(help="A rules file; the one in use if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """List every mistake of a rules file with its line, or show the condition of each rule. Exit 1 where there is a mistake."""
    from alerts.rules_file import read_rules_file
    from counterpoise.settings.model import Settings

    path = file or Settings.load().alerts.rules_file
    mistakes = read_rules_file(path).mistakes
    if not mistakes:
        show_rules(path, as_json)
        return
    if as_json:
        say(json.dumps({"mistakes": [asdict(one) for one in mistakes]}, ensure_ascii=False, indent=2))
    else:
        for one in mistakes:
            place = "" if one.line is None else f"{one.line}:{one.column}:"
            say(f"{path}:{place} {one.problem}")
        say(f"{len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}", err=True)
    raise typer.Exit(EXIT_MISTAKES)


@rules_app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of rules files, for editors."""
    from alerts.rules.rules_schema import schema_text

    say(schema_text().rstrip())


@rules_app.command("backtest")
def backtest_rules(
    file: Annotated[Path | None, typer.Argument(help="A rules file; the one in use if left out.")] = None,
    *,
    blocks: Annotated[
        Path | None,
        typer.Option("--blocks", help="A Parquet file of height, pool_slug and date; the dataset if left out."),
    ] = None,
    above: Annotated[str, typer.Option("--above", help="Try these lines, such as 0.72,0.75.")] = "",
    hold: Annotated[str, typer.Option("--hold", help="Try these holds in blocks, such as 0,36.")] = "",
    clear: Annotated[str, typer.Option("--clear", help="Try these clearing lines, such as 0.70,0.73.")] = "",
    grid: Annotated[
        str, typer.Option("--grid", help="Lines, holds and clearing lines at once: 0.72,0.75:0,36:0.70,0.73.")
    ] = "",
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Write an SVG of the value, the line and the firings of one rule.")
    ] = None,
    budget: Annotated[
        str,
        typer.Option("--budget", help="Exit 1 above this rate of all rules, or of one that is tried: 12/year."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Count the firings of each enabled rule on concentration over a file of blocks, or over the dataset."""
    from alerts.backtest import backtest
    from alerts.rules.rule import HeightRule
    from alerts.rules_file import load_judged_rules
    from counterpoise.settings.model import Settings
    from desk.rule_history import open_history

    allowed = _budget(budget)
    above, hold, clear = _axes(grid, above, hold, clear)
    loaded = [rule for rule in load_judged_rules(file or Settings.load().alerts.rules_file) if rule.enabled]
    base = [rule for rule in loaded if isinstance(rule, HeightRule)]
    with open_history(blocks, base) as history:
        rules = [tried for rule in base if history.judges(rule) for tried in _grid(rule, above, hold, clear)]
        judged = {rule.id for rule in rules}
        left_out = list(dict.fromkeys(rule.id for rule in loaded if rule.id not in judged))
        if not rules:
            raise ConfigError(
                "no rule to backtest, expected an enabled rule on the concentration of a chain that is scored, with "
                "what is to be varied"
            )
        needed = {rule.series_key: rule for rule in rules}
        series = {key: history.series(rule) for key, rule in needed.items()}
    found = [(rule, backtest(rule, series[rule.series_key])) for rule in rules]
    if picture is not None:
        _draw(picture, found, series)
    if as_json:
        say(json.dumps([_document(rule, result) for rule, result in found], ensure_ascii=False, indent=2))
    else:
        _print(found, left_out)
    rates = [result.firings_a_year for _, result in found]
    most = max(rates) if above or hold or clear else sum(rates)
    if allowed is not None and most > allowed:
        say(f"{most:.2f} firings a year, over the budget of {allowed:g}", err=True)
        raise typer.Exit(EXIT_OVER_BUDGET)


def _axes(grid: str, above: str, hold: str, clear: str) -> tuple[str, str, str]:
    """The values of the three options; those of `--grid` where it is given."""
    if not grid:
        return above, hold, clear
    parts = grid.split(":")
    if len(parts) != 3 or above or hold or clear:
        raise ConfigError(
            f"--grid is {grid!r}, expected LINES:HOLDS:CLEARS such as 0.72,0.75:0,36:0.70,0.73, without --above, --hold and --clear"
        )
    return parts[0], parts[1], parts[2]


def _draw(
    picture: Path,
    found: list[tuple[HeightRule, Backtest]],
    series: Mapping[tuple[object, ...], WindowCounts],
) -> None:
    from desk.backtest_picture import backtest_picture
    from desk.cli.whole_file import whole_file

    if len(found) != 1:
        raise ConfigError(f"--picture shows one rule, and {len(found)} are judged: name a rules file with one")
    rule, result = found[0]
    of = series[rule.series_key]
    with whole_file(picture) as path:
        path.write_text(backtest_picture(rule, of, result), encoding="utf-8")


def _grid(rule: HeightRule, above: str, hold: str, clear: str) -> list[HeightRule]:
    """The rule with every combination of the given values that it allows; the rule itself where none is given."""
    axes = {
        name: _numbers(option, text)
        for name, option, text in (("line", "--above", above), ("hold", "--hold", hold), ("clear", "--clear", clear))
        if text
    }
    found = []
    for values in product(*axes.values()):
        tried: Mapping[str, float] = dict(zip(axes, values, strict=True))
        line, hold_blocks, clear_line = (tried.get(name) for name in ("line", "hold", "clear"))
        try:
            rule_tried = rule.varied(
                line=line, hold=None if hold_blocks is None else int(hold_blocks), clear=clear_line
            )
        except ValueError:
            raise ConfigError(f"rule {rule.id!r} does not take {dict(zip(axes, values, strict=True))}") from None
        if rule_tried is None:
            return []
        if not rule_tried.unfit():
            found.append(rule_tried)
    return found


def _numbers(option: str, text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or (option == "--hold" and any(not value.is_integer() for value in found)):
        raise ConfigError(f"{option} is {text!r}, expected numbers with commas between them")
    return found


def _budget(text: str) -> float | None:
    if not text:
        return None
    number, _, unit = text.partition("/")
    try:
        allowed = float(number)
    except ValueError:
        allowed = -1.0
    if unit != "year" or not 0 <= allowed < float("inf"):
        raise ConfigError(f"--budget is {text!r}, expected firings a year such as 12/year")
    return allowed


def _document(rule: HeightRule, result: Backtest) -> dict[str, object]:
    return {
        "rule": rule.id,
        "condition": rule.condition(),
        "firings_a_year": result.firings_a_year,
        **asdict(result),
    }


def _print(found: list[tuple[HeightRule, Backtest]], left_out: list[str]) -> None:
    table = Table(title=f"{found[0][1].days:,.0f} days of blocks", title_justify="left", show_edge=False)
    for column in ("rule", "fires on", "crossings", "firings", "a year", "flaps", "days firing"):
        table.add_column(column, overflow="fold", justify="left" if column in {"rule", "fires on"} else "right")
    for rule, result in found:
        table.add_row(
            cell(rule.id, ""),
            cell(rule.condition(), ""),
            f"{result.crossings:,}",
            f"{len(result.firings):,}",
            f"{result.firings_a_year:.1f}",
            f"{result.flaps:,}",
            f"{result.days_in_breach:,.1f}",
        )
    Console().print(table)
    if left_out:
        Console().print(f"Not backtested: {', '.join(left_out)}.", markup=False)
