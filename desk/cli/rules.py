"""`counterpoise rules`: check a rules file, and ask what its rules would have done over a history of blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.errors import ConfigError
from desk.cli.alerts import show_rules
from desk.cli.options import number, require_finite
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.rules.rule import HeightRule
    from alerts.signals.window_counts import WindowCounts
    from desk.cli.rules_backtest import Judged

EXIT_OVER_BUDGET = 1

EXIT_MISTAKES = 1

rules_app = typer.Typer(no_args_is_help=True, add_completion=False)


@rules_app.command("check")
def check_rules(
    file: Annotated[Path | None, typer.Argument(help="A rules file; the one in use if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """List every mistake of a rules file with its line, or show the condition of each rule. Exit 1 where there is a mistake.

    The labels in `group_by` of the routes in the settings are checked with it: own labels are those of the file's rules.
    """
    from alerts.outbox.receivers.receivers import check_rules
    from alerts.rules_file import read_rules_file
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    path = file or settings.alerts.rules_file
    found = read_rules_file(path)
    mistakes = found.mistakes
    if not mistakes:
        check_rules(settings, found.rules)
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
        typer.Option(
            "--budget", help="Exit 1 above this rate of messages of all rules, or of one that is tried: 12/year."
        ),
    ] = "",
    simulate: Annotated[
        int,
        number(
            "--simulate",
            least=0,
            most=1000,
            help="Draw the history so many times, and count false alarms (with --blocks).",
        ),
    ] = 0,
    false_budget: Annotated[
        str, typer.Option("--false-budget", help="Exit 1 above this rate of false alarms by simulation: 1/year.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Count the firings of each enabled rule on concentration over a file of blocks, or over the dataset."""
    from alerts.backtest import backtest
    from alerts.rules.rule import HeightRule
    from alerts.rules_file import load_judged_rules
    from counterpoise.settings.model import Settings
    from desk.cli.rules_backtest import Budgets, Judged, print_judged
    from desk.rule_history import RuleHistory, open_history
    from desk.rule_simulation import BIN_BLOCKS
    from desk.rule_simulation import simulate as simulate_file

    budgets = Budgets.of(budget, false_budget, simulated=bool(simulate), from_file=blocks is not None)
    above, hold, clear = _axes(grid, above, hold, clear)
    loaded = [rule for rule in load_judged_rules(file or Settings.load().alerts.rules_file) if rule.enabled]
    base = [rule for rule in loaded if isinstance(rule, HeightRule)]
    with open_history(blocks, base, also=(BIN_BLOCKS,) if simulate else ()) as history:
        rules = [tried for rule in base if history.judges(rule) for tried in _grid(rule, above, hold, clear)]
        if not rules:
            raise ConfigError(
                "no rule to backtest, expected an enabled rule on the concentration of a chain that is scored, with "
                "what is to be varied"
            )
        needed = {rule.series_key: rule for rule in rules}
        series = {key: history.series(rule) for key, rule in needed.items()}
        false = simulate_file(history, rules, simulate) if simulate and isinstance(history, RuleHistory) else None
    found = [
        Judged(rule, backtest(rule, series[rule.series_key]), false[at] if false else None)
        for at, rule in enumerate(rules)
    ]
    ids = {rule.id for rule in rules}
    left_out = list({rule.id: rule for rule in loaded if rule.id not in ids}.values())
    if picture is not None:
        _draw(picture, found, series)
    if as_json:
        say(json.dumps([one.document() for one in found], ensure_ascii=False, indent=2))
    else:
        print_judged(found, left_out)
    over = budgets.exceeded(found, left_out, alone=bool(above or hold or clear))
    for line in over:
        say(line, err=True)
    if over:
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
    found: Sequence[Judged],
    series: Mapping[tuple[object, ...], WindowCounts],
) -> None:
    from desk.backtest_picture import backtest_picture
    from desk.cli.whole_file import whole_file

    if len(found) != 1:
        raise ConfigError(f"--picture shows one rule, and {len(found)} are judged: name a rules file with one")
    rule, result = found[0].rule, found[0].result
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
    for value in found:
        require_finite(option, value)
    return found
