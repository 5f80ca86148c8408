"""`counterpoise doctor`: check this machine, the settings and every connection; exit code 1 if something cannot work."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from counterpoise.errors import ConfigError
from counterpoise.redaction import redact
from desk.cli.console import Console
from desk.cli.options import JsonOption
from desk.cli.say import say

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red", "skipped": "dim"}


def doctor(
    as_json: JsonOption = False,
    offline: Annotated[bool, typer.Option("--offline", help="Skip checks that use the network.")] = False,
) -> None:
    """Check Python, platform, engines, ports, disk, settings, Kafka, ClickHouse, Slack's settings, the block source and the clock.

    Exit code 0 if everything can work, 1 if not. Secrets are checked and never shown.
    """
    from counterpoise.runtime.logs import configure_logging
    from counterpoise.settings.model import Settings
    from desk.supervise.preflight import PreflightResult, examine

    try:
        settings = Settings.load()
        configure_logging(settings.log_format, settings.log_level)  # to stderr, and without secrets
        findings = [
            PreflightResult("settings", "ok", f"dataset {settings.dataset} ({settings.dataset_kind})"),
            *examine(settings, offline=offline),
        ]
    except ConfigError as error:
        findings = [PreflightResult("settings", "problem", str(error))]
    findings = [replace(finding, said=redact(finding.said)) for finding in findings]
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("check", "", "what"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            table.add_row(finding.check, Text(finding.verdict, _COLOURS[finding.verdict]), Text(finding.said))
        Console().print(table)
    raise typer.Exit(1 if any(finding.verdict == "problem" for finding in findings) else 0)
