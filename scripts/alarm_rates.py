"""Write the alarm rates of the shipped rules into alerts/rules.yaml: a backtest over real blocks, and false alarms by simulation.

    python scripts/alarm_rates.py BLOCKS [--check]

BLOCKS is a Parquet file as `counterpoise rules backtest --blocks` takes it. Rules on concentration are judged by the machine of the
service. `producer-run` is a query; its runs are counted in the file and in the drawn histories, where each run is by chance. Every
other rule stays `not backtested`. `--check` writes nothing, and exits 1 where the file has other rates.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from alerts.alarm_rate import NOT_BACKTESTED, AlarmRate
from alerts.backtest import YEAR_DAYS, backtest
from alerts.rules.rule import HeightRule, Rule
from alerts.rules.sql_rule import SqlRule
from alerts.rules_file import parse_rules
from desk.rule_history import RuleHistory
from desk.rule_simulation import BIN_BLOCKS, SEED, redrawn, runs_of, simulate

RULES: Final = Path(__file__).resolve().parents[1] / "alerts" / "rules.yaml"
DRAWS: Final = 20
RUN_RULE: Final = "producer-run"


def rates_of(rules: tuple[Rule, ...], history: RuleHistory, months: str, draws: int) -> dict[str, AlarmRate]:
    """The rate of each rule that has a history, by its id."""
    judged = [rule for rule in rules if isinstance(rule, HeightRule)]
    rates = {
        rule.id: AlarmRate(backtest(rule, history.series(rule)).firings_a_year, months, simulated.false_a_year)
        for rule, simulated in zip(judged, simulate(history, judged, draws), strict=True)
    }
    years = history.days / YEAR_DAYS
    for rule in rules:
        if rule.id == RUN_RULE and isinstance(rule, SqlRule) and rule.fire is not None:
            at_least = int(rule.fire.value)
            drawn = [
                runs_of(redrawn(history.codes, np.random.default_rng([SEED, number])), at_least)
                for number in range(draws)
            ]
            rates[rule.id] = AlarmRate(runs_of(history.codes, at_least) / years, months, sum(drawn) / draws / years)
    return rates


def with_rates(text: str, rates: Mapping[str, AlarmRate]) -> str:
    """The rules file with these rates in the place of the ones that it has."""
    rule_id, lines = "", []
    for line in text.splitlines():
        named = re.match(r"  - id: (\S+)$", line)
        rule_id = named[1] if named else rule_id
        if line.startswith("    alarm_rate: "):
            rate = rates.get(rule_id)
            line = f"    alarm_rate: {rate.line() if rate else NOT_BACKTESTED}"  # noqa: PLW2901 - the line that is written
        lines.append(line)
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blocks", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a rate differs")
    arguments = parser.parse_args()
    text = RULES.read_text(encoding="utf-8")
    rules = parse_rules(text, str(RULES))
    windows = [rule.window_blocks for rule in rules if isinstance(rule, HeightRule)]
    beside = [place.window_blocks for rule in rules if isinstance(rule, HeightRule) for place in rule.beside]
    history = RuleHistory(arguments.blocks, (*windows, *beside, BIN_BLOCKS))
    months = " to ".join(f"{datetime.fromtimestamp(at, UTC):%Y-%m}" for at in history.span)
    written = with_rates(text, rates_of(rules, history, months, DRAWS))
    if not arguments.check:
        RULES.write_text(written, encoding="utf-8")
    elif written != text:
        sys.stderr.write(f"{RULES} has other alarm rates: run `python scripts/alarm_rates.py {arguments.blocks}`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
