"""The upstream test suite of a client, unchanged, against the embedded server.

COUNTERPOISE_CLIENT_SUITES names a folder with checkouts (`clickhouse-driver`) and, in `lib`, what their tests import beside
our own dependencies. Nothing of it belongs to this repository.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

VARIABLE: Final = "COUNTERPOISE_CLIENT_SUITES"
_FOLDER: Final = os.environ.get(VARIABLE)  # now: a test does not see our settings
_CLIENT: Final = Path(__file__).with_name("clickhouse_client.py")
_MINUTES: Final = 30


@dataclass
class Outcome:
    """`failed` are the tests that failed, by module, class and name, with the end of what they reported."""

    passed: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def clickhouse_driver_suite() -> Path | str:
    """The checkout, or one line with the reason why there is none."""
    if not _FOLDER:
        return f"upstream suites: {VARIABLE} names no folder with a checkout of clickhouse-driver"
    suite = Path(_FOLDER) / "clickhouse-driver"
    return suite if (suite / "tests").is_dir() else f"upstream suites: there is no {suite}/tests"


def run_clickhouse_driver(suite: Path, scratch: Path, *, port: int, http_port: int, password: str) -> Outcome:
    """Run the suite's tests with the installed clickhouse-driver, in a copy without the checkout's own package."""
    folder = scratch / "suite"
    shutil.copytree(suite / "tests", folder / "tests")
    program = scratch / "clickhouse-client"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{_CLIENT}" "$@"\n')
    program.chmod(0o700)
    config = configparser.ConfigParser()
    config.read(suite / "setup.cfg")
    config["db"].update({"host": "127.0.0.1", "port": str(port), "password": password, "client": str(program)})
    with (folder / "setup.cfg").open("w") as file:
        config.write(file)
    report = scratch / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "tests"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")}
    environment |= {
        "PYTHONPATH": os.pathsep.join((str(folder), str(suite.parent / "lib"))),
        "CLIENT_HTTP_PORT": str(http_port),
        "CLIENT_PASSWORD": password,
    }
    with (scratch / "suite.log").open("wb") as log:
        subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=False, timeout=_MINUTES * 60)
    return _outcome(report)


def _outcome(report: Path) -> Outcome:
    outcome = Outcome()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        bad = [element for element in case if element.tag in ("failure", "error")]
        if bad:
            text = (bad[0].text or bad[0].get("message") or "").strip()
            outcome.failed[f"{case.get('classname')}::{case.get('name')}"] = text[-600:]
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome
