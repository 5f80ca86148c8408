"""What `counterpoise rules backtest` prints and compares with its budgets: firings, messages, and false alarms by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from alerts.alarm_rate import parse_alarm_rate
from alerts.backtest import Backtest
from alerts.rules.rule import HeightRule, Rule
from counterpoise.errors import ConfigError
from desk.cli.console import Console, cell
from desk.rule_simulation import Simulated


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule with its backtest, and with its simulation where there was one."""

    rule: HeightRule
    result: Backtest
    simulated: Simulated | None = None

    def document(self) -> dict[str, object]:
        """The same as JSON has it."""
        found = self.simulated
        false = None if found is None else asdict(found) | {"false_a_year": found.false_a_year}
        return {
            "rule": self.rule.id,
            "condition": self.rule.condition(),
            "firings_a_year": self.result.firings_a_year,
            "messages_a_year": self.result.messages_a_year,
            **asdict(self.result),
            "simulated": false,
        }


@dataclass(frozen=True, slots=True)
class Totals:
    """All rules together: messages in a year, and false alarms in a simulated one."""

    messages: float
    false: float

    @classmethod
    def of(cls, found: Sequence[Judged], left_out: Sequence[Rule]) -> Totals:
        """The sums; a rule that is left out counts with the rate that it states, and each of its alarms clears."""
        stated = [rate for rule in left_out if (rate := parse_alarm_rate(rule.alarm_rate))]
        messages = sum(one.result.messages_a_year for one in found) + sum(2 * rate.alarms for rate in stated)
        false = sum(one.simulated.false_a_year for one in found if one.simulated) + sum(rate.false for rate in stated)
        return cls(messages, false)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What is allowed in a year; None where there is no limit."""

    messages: float | None
    false: float | None

    @classmethod
    def of(cls, messages: str, false: str, *, simulated: bool, from_file: bool) -> Budgets:
        """From the options; ConfigError for what they cannot mean."""
        if simulated and not from_file:
            raise ConfigError("--simulate draws the blocks of a file, expected --blocks with it")
        if false and not simulated:
            raise ConfigError("--false-budget is about simulated alarms, expected --simulate with it")
        return cls(_rate("--budget", messages), _rate("--false-budget", false))

    def exceeded(self, found: Sequence[Judged], left_out: Sequence[Rule], *, alone: bool) -> list[str]:
        """A line for each budget that is exceeded: by all rules together, or `alone` by the worst of them."""
        groups = [Totals.of([one], ()) for one in found] if alone else [Totals.of(found, left_out)]
        lines = []
        for what, allowed, most in (
            ("messages", self.messages, max(one.messages for one in groups)),
            ("false alarms", self.false, max(one.false for one in groups)),
        ):
            if allowed is not None and most > allowed:
                lines.append(f"{most:.2f} {what} per year, over the budget of {allowed:g}")
        return lines


def _rate(option: str, text: str) -> float | None:
    if not text:
        return None
    number, _, unit = text.partition("/")
    try:
        allowed = float(number)
    except ValueError:
        allowed = -1.0
    if unit != "year" or not 0 <= allowed < float("inf"):
        raise ConfigError(f"{option} is {text!r}, expected a number per year such as 12/year")
    return allowed


def print_judged(found: Sequence[Judged], left_out: Sequence[Rule]) -> None:
    """The table, and under it the sums and what is not judged here."""
    simulated = found[0].simulated
    table = Table(title=f"{found[0].result.days:,.0f} days of blocks", title_justify="left", show_edge=False)
    # A terminal of 80 columns has no room for the conditions beside the simulation.
    words = ["rule"] if simulated else ["rule", "fires on"]
    numbers = ["crossings", "firings", "a year", "flaps", "days firing"]
    for column in [*words, *numbers, *(["false a year", "close a year"] if simulated else [])]:
        table.add_column(column, overflow="fold", justify="left" if column in words else "right")
    for one in found:
        cells = [f"{one.result.crossings:,}", f"{len(one.result.firings):,}", f"{one.result.firings_a_year:.1f}"]
        cells += [f"{one.result.flaps:,}", f"{one.result.days_in_breach:,.1f}"]
        if one.simulated:
            cells += [f"{one.simulated.false_a_year:.2f}", f"{one.simulated.close_a_year:.2f}"]
        texts = [one.rule.id] if simulated else [one.rule.id, one.rule.condition()]
        table.add_row(*(cell(text, "") for text in texts), *cells)
    console = Console()
    console.print(table)
    totals = Totals.of(found, left_out)
    line = f"All rules: {totals.messages:.1f} messages per year (firings and clearings)"
    if simulated:
        line += f", {totals.false:.2f} false alarms per year in {simulated.years:,.0f} simulated years"
    console.print(f"{line}.", markup=False, highlight=False)
    stated = [rule for rule in left_out if parse_alarm_rate(rule.alarm_rate)]
    others = [rule.id for rule in left_out if rule not in stated]
    if stated:
        rates = "; ".join(f"{rule.id}, {rule.alarm_rate}" for rule in stated)
        console.print(f"Among the sums as stated: {rates}.", markup=False, highlight=False)
    if others:
        console.print(f"Not backtested: {', '.join(others)}.", markup=False)
