"""`counterpoise rules test`: run files of rule tests, and show which branches of each rule they take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from counterpoise.formats import counted
from desk.cli.console import Console, cell
from desk.cli.say import say

EXIT_FAILED = 1


def test_rules(
    files: Annotated[list[Path], typer.Argument(help="Files of rule tests.")],
    *,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Test this rules file, whatever the test files name.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Exit 1 also where a branch of an enabled rule is not tested.")
    ] = False,
) -> None:
    """Run unit tests of rules on the state machine and the messages of the service. Exit 1 on a failure."""
    from alerts.rule_tests.rule_test_file import run_test_files
    from alerts.rule_tests.run_rule_test import BRANCHES, branches_of
    from alerts.rules_file import read_rules_file

    run = run_test_files(files, read_rules_file(rules) if rules else None)
    table = Table(title="Branches taken", title_justify="left", show_edge=False)
    for column in ("rule", "tests", *BRANCHES):
        table.add_column(column, justify="right" if column == "tests" else "left", no_wrap=column == "rule")
    for coverage in run.coverage.values():
        possible = branches_of(coverage.rule)
        marks = ["yes" if one in coverage.taken else "no" if one in possible else "–" for one in BRANCHES]
        table.add_row(cell(coverage.rule.id, ""), str(coverage.tests), *marks)
    if run.coverage:
        Console().print(table)
    for failure in run.failures:
        say(f"FAILED {failure}")
    missing = [
        f"{one.rule.id} ({', '.join(one.missing)})" for one in run.coverage.values() if one.rule.enabled and one.missing
    ]
    if missing:
        say(f"Not tested: {'; '.join(missing)}.")
    say(f"{counted(run.tests, 'test')}, {counted(len(run.failures), 'failure')}")
    if run.failures or (complete and missing):
        raise typer.Exit(EXIT_FAILED)
