"""A command that another one prints is for the same dataset and state directory, where a person pastes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer
import typer.main

from desk.cli.alert_rows import sql_command
from desk.cli.root import app
from desk.cli.typed_command import remember, to_paste


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the root puts into the environment ends with the test."""
    for name in ("DATASET", "DATASET_KIND", "STATE_DIR", "CONFIG", "LOG_LEVEL"):
        monkeypatch.setenv(f"COUNTERPOISE_{name}", os.environ.get(f"COUNTERPOISE_{name}", ""))
        monkeypatch.delenv(f"COUNTERPOISE_{name}")


def typed(*arguments: str) -> None:
    with pytest.raises(SystemExit):
        typer.main.get_command(app).main(args=[*arguments, "sql", "--help"], prog_name="counterpoise")


@pytest.mark.parametrize(
    "order", [("--dataset", "demo", "--state-dir", "."), ("--state-dir", ".", "--dataset", "demo")]
)
def test_the_options_of_the_root_are_in_what_is_printed(order: tuple[str, ...]) -> None:
    typed(*order)
    try:
        command = f"counterpoise --dataset demo --state-dir {Path.cwd()} sql 'SELECT 1'"
        assert to_paste("sql", "SELECT 1") == sql_command("SELECT 1", None) == command
    finally:
        remember({})


def test_without_options_nothing_is_added() -> None:
    typed()
    assert to_paste("migrate") == "counterpoise migrate"
