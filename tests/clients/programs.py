"""The programs that use third-party clients, how each is built, and the exchange with a running one.

A program gets the server, the account and the statements as CLIENT_… variables. It prints one JSON line for each step of STEPS:
`{"step": …, "value": …}`, or `{"step": …, "code": …, "message": …}` for an error of the server (code -1: any other error). In the
step `cancel` it starts CLIENT_SLOW, prints `{"running": true}`, reads one line, and then stops the statement its own way.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

HERE: Final = Path(__file__).parent
STEPS: Final = ("connect", "list", "describe", "select", "parameters", "insert", "stream", "error", "cancel")
_BUILD_SECONDS: Final = 400


class UnavailableError(Exception):
    """A client cannot be had on this machine; the message is one line that says why."""


@dataclass(frozen=True)
class Program:
    """`command` builds what has to be built and returns how to start it; UnavailableError where that is impossible."""

    name: str
    protocol: str
    command: Callable[[], list[str]]
    version: Callable[[], str]
    python: bool = False
    differs: Mapping[str, object] = field(default_factory=dict)
    """Columns of the typed row that this client has in another form, by name."""


def _python(module: str, *arguments: str, needs: tuple[str, ...]) -> Callable[[], list[str]]:
    def command() -> list[str]:
        for name in needs:
            try:
                importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                raise UnavailableError(
                    f"{name} is not installed: make test-clients installs the extra `clients`"
                ) from None
        return [sys.executable, "-m", f"tests.clients.python.{module}", *arguments]

    return command


def _installed(name: str) -> Callable[[], str]:
    return lambda: importlib.metadata.version(name)


def _tool(name: str, wanted_by: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"{wanted_by} needs `{name}`, which is not on this machine")
    return found


def _built(client: str, sources: Path, build: Callable[[Path], None]) -> Path:
    """The folder of a built client in the user's cache, by the content of its sources; built at most once."""
    digest = hashlib.sha256()
    for file in sorted(sources.iterdir()):
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache_home / "counterpoise" / f"client-{client}-{digest.hexdigest()[:16]}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sources, folder, ignore=shutil.ignore_patterns("node_modules"))
        build(folder)
        (folder / "complete").touch()
    return folder


def _run(client: str, command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{client} could not be built: {command[0]} ran for {_BUILD_SECONDS} s") from None
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise UnavailableError(f"{client} could not be built: {(said or ['no reason given'])[0][:200]}")


def _go(protocol: str) -> Callable[[], list[str]]:
    def command() -> list[str]:
        go = _tool("go", "clickhouse-go")
        build = [go, "build", "-mod=readonly", "-o", "client", "."]
        folder = _built("go", HERE / "go", lambda folder: _run("clickhouse-go", build, folder))
        return [str(folder / "client"), protocol]

    return command


def _java() -> list[str]:
    java, maven = _tool("java", "clickhouse-jdbc"), _tool("mvn", "clickhouse-jdbc")
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    fetch = [maven, "-q", "-B", plugin, "-DincludeScope=runtime", "-DoutputDirectory=jars"]
    folder = _built("java", HERE / "java", lambda folder: _run("clickhouse-jdbc", fetch, folder))
    return [java, "-XX:TieredStopAtLevel=1", "-cp", str(folder / "jars" / "*"), str(folder / "JdbcClient.java")]


def _javascript() -> list[str]:
    node, npm = _tool("node", "@clickhouse/client"), _tool("npm", "@clickhouse/client")
    install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    folder = _built("js", HERE / "js", lambda folder: _run("@clickhouse/client", install, folder))
    return [node, str(folder / "client.mjs")]


def _go_version() -> str:
    lines = (HERE / "go" / "go.mod").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "ClickHouse/clickhouse-go/v2" in line).removeprefix("v")


def _java_version() -> str:
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    root = ET.fromstring((HERE / "java" / "pom.xml").read_text())  # noqa: S314 - a file of this folder
    return root.findtext("m:dependencies/m:dependency/m:version", "", space)


def _javascript_version() -> str:
    version: str = json.loads((HERE / "js" / "package.json").read_text())["dependencies"]["@clickhouse/client"]
    return version


# Arrow has no Enum of ClickHouse's kind: a server writes the number.
_ARROW: Final = {"e": 2}

PROGRAMS: Final = {
    program.name: program
    for program in (
        Program(
            "clickhouse-driver",
            "native",
            _python("clickhouse_driver_native", needs=("clickhouse-driver",)),
            _installed("clickhouse-driver"),
            python=True,
        ),
        Program(
            "clickhouse-connect",
            "HTTP",
            _python("clickhouse_connect_http", needs=("clickhouse-connect",)),
            _installed("clickhouse-connect"),
            python=True,
        ),
        Program(
            "SQLAlchemy",
            "HTTP, clickhouse-connect's dialect",
            _python("sqlalchemy_dialect", needs=("SQLAlchemy", "clickhouse-connect")),
            _installed("SQLAlchemy"),
            python=True,
        ),
        Program(
            "polars",
            "Arrow and Parquet over HTTP",
            _python("arrow_http", "polars", needs=("polars",)),
            _installed("polars"),
            python=True,
            differs={**_ARROW, "u": "61f0c4045cb311e7907ba6006ad3dba0"},  # it takes Arrow's UUID as 16 bytes
        ),
        Program(
            "DuckDB",
            "Arrow and Parquet over HTTP",
            _python("arrow_http", "duckdb", needs=("duckdb",)),
            _installed("duckdb"),
            python=True,
            differs=_ARROW,
        ),
        Program("clickhouse-jdbc", "HTTP, JDBC v2", _java, _java_version),
        Program("clickhouse-go", "native", _go("native"), _go_version),
        Program("clickhouse-go (HTTP)", "HTTP", _go("http"), _go_version),
        Program(
            "@clickhouse/client",
            "HTTP",
            _javascript,
            _javascript_version,
            differs={"dt": "2026-01-02 03:04:05.678"},  # JSON has moments as text, and the client leaves them so
        ),
    )
}


@cache
def command_of(name: str) -> list[str] | str:
    """How to start a program, or why it cannot be had; the one try of this process."""
    try:
        return PROGRAMS[name].command()
    except UnavailableError as reason:
        return str(reason)


def run_steps(
    command: list[str], environment: Mapping[str, str], seen: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """The line of each step. `seen` is called while the slow statement runs, and returns when the server shows it."""
    lines: dict[str, dict[str, Any]] = {}
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment, "PYTHONPATH": str(HERE.parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    other: list[str] = []
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in process.stdout:
            try:
                line = json.loads(text)
            except ValueError:
                other.append(text)
                continue
            if "running" in line:
                seen()
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                lines[line["step"]] = line
        process.wait()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
    missing = [step for step in STEPS if step not in lines]
    assert not missing, f"{command[:3]} ended with {process.returncode} before {missing[0]}:\n{''.join(other)[-3000:]}"
    return lines
