"""The root of the command line: every command loads, and every kind of error is one line and its exit code."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer.main

from counterpoise.errors import ConfigError, EngineError, RetryableError, StaleSourceError
from desk.cli import root as cli_root
from desk.cli.lazy_group import CommandEntry, load
from desk.cli.root import ENTRIES, main
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_loads_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(name, ENTRIES[name]) is not None
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"counterpoise {name}" in said
    assert "Options" in said


def test_help_names_every_command_and_imports_none_of_them() -> None:
    program = (
        "import sys; from desk.cli.root import main; main(['--help']); "
        "print(sorted(m for m in sys.modules if m in {'kafka', 'faust', 'clickhouse_driver', 'chdb', 'numpy', 'pyarrow'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
    )
    assert all(f" {name} " in done.stdout for name in ENTRIES)
    assert done.stdout.splitlines()[-1] == "[]"


def raising(error: BaseException) -> type[object]:
    def command() -> None:
        raise error

    return command  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("the thing x is 3,\n  expected 4"), 2, "counterpoise: the thing x is 3, expected 4\n"),
        (EngineError("no engine"), 2, "counterpoise: no engine\n"),
        (RetryableError("Kafka does not answer"), 3, "counterpoise: Kafka does not answer\n"),
        (StaleSourceError("the node is down"), 3, "counterpoise: the node is down\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(1), 1, ""),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        cli_root.RootGroup, "entries", {"fails": CommandEntry("tests.nowhere:command", "Fails.", "Test")}
    )
    monkeypatch.setattr("desk.cli.lazy_group._attribute", lambda _: raising(error))
    assert main(["fails"]) == code
    assert capsys.readouterr().err == line


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        cli_root.RootGroup, "entries", {"fails": CommandEntry("tests.nowhere:command", "Fails.", "Test")}
    )
    monkeypatch.setattr("desk.cli.lazy_group._attribute", lambda _: raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["fails"])


def test_a_misspelt_command_is_told_which_one_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["statuss"]) == 2
    assert "Did you mean 'status'" in capsys.readouterr().err


def test_common_options_reach_every_process_as_variables(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--dataset", "signet", "--dataset-kind", "historical", "--state-dir", "here", "--log-level", "debug"]
    assert main([*arguments, "pools", "list", "--json"]) == 0
    assert os.environ["COUNTERPOISE_DATASET"] == "signet"
    assert os.environ["COUNTERPOISE_DATASET_KIND"] == "historical"
    assert os.environ["COUNTERPOISE_STATE_DIR"].endswith("/here")
    assert os.environ["COUNTERPOISE_LOG_LEVEL"] == "debug"


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"counterpoise {version('counterpoise')}\n"
