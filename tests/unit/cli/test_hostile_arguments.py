"""Every parameter of every command with what nobody should type, without engines: it ends in one line, with an exit code of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.cli.lazy_group import load
from desk.cli.root import ENTRIES, main
from testkit.ports import reserved_port

STAYS = {"demo", "desk", "slack", "run", "up", "down", "backfill"}
"""They work until they are ended, or wait for engines: only numbers out of their bounds are tried."""

GOOD = {"day": "2024-06-30", "labels": "rule=x", "usd": "10m", "max_expected_loss": "1000", "out": "out"}
"""Values of required parameters beside the one that is tried; another one is `nosuch`."""

NUMBERS = ("", "-1", "9" * 400)
DATES = ("", "0001-01-01")
NAMES = ("", "\x1b[2J\u202e\udcff")
FILES = ("", "folder", "binary.parquet", "latin.yaml")


def leaves(name: str) -> list[tuple[list[str], Any]]:
    """The commands of an entry, each with the words that name it."""
    command = load(name, ENTRIES[name])
    members = getattr(command, "commands", None)
    return [([name], command)] if members is None else [([name, one.name], one) for one in members.values()]


def hostile(name: str, parameter: Any) -> tuple[str, ...]:
    annotation = str(parameter.type_descriptor.annotation)
    if "int" in annotation or "float" in annotation:
        return NUMBERS if name not in STAYS else ("-1", "9" * 400) if parameter.name != "from_height" else ("-1",)
    if name in STAYS or "bool" in annotation:
        return ()
    if "Path" in annotation or parameter.name in {"blocks", "mapping", "source"}:
        return FILES
    return DATES if "datetime" in annotation else NAMES


def tried(name: str) -> Iterator[list[str]]:
    for words, command in leaves(name):
        for parameter in command.params:
            for value in hostile(name, parameter):
                arguments, options = [], []
                for one in command.params:
                    given = value if one is parameter else GOOD.get(one.name, "nosuch") if one.required else None
                    if given is not None and one.param_type_name == "argument":
                        arguments.append(given)
                    elif given is not None:
                        options.append(f"{one.opts[-1]}={given}")
                yield [*words, *options, "--", *arguments]


@pytest.fixture
def no_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("binary.parquet").write_bytes(bytes(range(256)) * 8)
    Path("latin.yaml").write_bytes("rules: é\n".encode("latin-1"))
    port = str(reserved_port())
    monkeypatch.setenv("COUNTERPOISE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__HOST", "127.0.0.1")
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PORT", port)
    monkeypatch.setenv("COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
    monkeypatch.setenv("COLUMNS", "20")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("no_engines")
@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_hostile_argument_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A bug would leave `main` as an exception."""
    for arguments in tried(name):
        code = main(arguments)
        said = capsys.readouterr().err
        lines = [line for line in said.splitlines() if line.startswith("counterpoise: ")]
        assert code in {0, 1, 2, 3} and "Traceback" not in said, (arguments, said)
        assert len(lines) == (code in {2, 3}), (arguments, code, said)
        assert "\x1b" not in said, arguments
