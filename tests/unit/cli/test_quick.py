"""`--help` and mistakes in arguments import nothing heavy: a command pays for a library when it runs, not when it is looked at."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from desk.cli.root import ENTRIES

HEAVY = (
    "aiohttp",
    "aiokafka",
    "clickhouse_driver",
    "fastapi",
    "faust",
    "httpx",
    "kafka",
    "markdown_it",
    "numpy",
    "PIL",
    "pyarrow",
    "pydantic_settings",
    "pygments",
    "scipy",
    "slack_sdk",
    "starlette",
    "uvicorn",
)

WALK = """
import contextlib, io, sys
import typer.main
from desk.cli import main
from desk.cli.lazy_group import load
from desk.cli.root import ENTRIES

HEAVY = set(sys.argv[1].split())
looked_at = []

def look(*arguments):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = main([*arguments])
    loaded = sorted(HEAVY & sys.modules.keys())
    looked_at.append(f"{' '.join(arguments)}: {code} {loaded}")
    if loaded:
        print("\\n".join(looked_at)); sys.exit(1)

look("--help")
look("--version")
look("nope")
for name, entry in ENTRIES.items():
    look(name, "--help")
    look(name, "--nope")
    for member in getattr(load(name, entry), "commands", {}):
        look(name, member, "--help")
        look(name, member, "--nope")
look("sql")
look("sql", "SELECT 1", "--format", "nope")
look("sql", "--name", "nope")
look("sql", "--list")
look("alerts", "mute")
look("backfill")
print("\\n".join(looked_at))
"""


@pytest.fixture(scope="module")
def looks() -> list[str]:
    """Every command's help and a mistake in its arguments, one after the other in one new process: `arguments: exit code, heavy`.

    Without settings in the environment: where there are some, each command compares their names with those that exist.
    """
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")}
    done = subprocess.run(
        [sys.executable, "-c", WALK, " ".join(HEAVY)], env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_nothing_heavy_is_imported_before_a_command_runs(looks: list[str]) -> None:
    assert len(looks) > 50
    assert [look for look in looks if not look.endswith(" []")] == []


ASK = """
import contextlib, io, sys
from desk.cli import main

with contextlib.redirect_stderr(io.StringIO()) as said:
    code = main(["sql", "SELECT 1"])
assert code == 3 and "Connection refused" in said.getvalue(), said.getvalue()
print(*sorted(set(sys.argv[1].split()) & sys.modules.keys()))
"""


def test_a_question_imports_nothing_that_it_does_not_need() -> None:
    """What reads settings and speaks to ClickHouse is needed; arrays, event loops, Kafka, web servers and drawn help are not."""
    needed = {"clickhouse_driver", "pydantic_settings"}
    refused = {"COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1", "COUNTERPOISE_CLICKHOUSE__PORT": "1"}
    others = {"asyncio.events", "chdb", "importlib.metadata", "matplotlib", "pandas", "structlog"}
    unneeded = sorted({*HEAVY, *others} - needed)
    done = subprocess.run(
        [sys.executable, "-c", ASK, " ".join(unneeded)],
        env={name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")} | refused,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


LIST = """
import contextlib, io, sys
from desk.cli import main

with contextlib.redirect_stdout(io.StringIO()) as said:
    code = main(["pools", "list"])
assert code == 0 and "foundry" in said.getvalue()
print(*sorted(set(sys.argv[1].split()) & sys.modules.keys()))
"""


def test_a_list_from_a_file_reads_no_settings_also_where_variables_are_compared_with_them() -> None:
    unneeded = {*HEAVY, "asyncio", "importlib.metadata", "rich._emoji_codes"}
    done = subprocess.run(
        [sys.executable, "-c", LIST, " ".join(unneeded)],
        env=os.environ | {"COUNTERPOISE_DATASET": "any"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_help_ends_with_zero_and_a_mistake_with_two(looks: list[str]) -> None:
    for look in looks:
        arguments, _, rest = look.rpartition(": ")
        right = arguments.endswith(("--help", "--version", "--list"))
        assert rest.split()[0] == ("0" if right else "2"), look


def test_every_command_shows_examples_of_itself() -> None:
    for name, entry in ENTRIES.items():
        assert entry.examples, name
        for example in entry.examples:
            assert re.match(rf"counterpoise (--[a-z-]+ \S+ )*{name}\b", example), example
