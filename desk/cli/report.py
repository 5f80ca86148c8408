"""`counterpoise report`: the dataset as one HTML file."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.errors import ConfigError
from counterpoise.spans import parse_span
from desk.cli.say import say
from desk.cli.whole_file import whole_file

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import ClickHouse
    from counterpoise.settings.model import Settings
    from desk.report.report_model import Report


def report(
    *,
    out: Annotated[Path, typer.Option("--out", help="Write to this file, atomically.", dir_okay=False)] = Path(
        "report.html"
    ),
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Start of the report: a day (2025-01-01), or 90d, 12w, 2y before the newest block.",
            metavar="WHEN",
        ),
    ] = None,
) -> None:
    """Write one HTML file with the current state of mining and AI compute, their history, and the alerts that fired.

    The file needs no network and no script, prints, and follows light or dark mode. Each plot has its numbers and its SQL.
    """
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    start = parse_since(since)
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        written = write_report(settings, clickhouse, out, start)
    say(written)
    if show:
        typer.launch(written.as_uri())


def write_report(settings: Settings, clickhouse: ClickHouse, out: Path, since: date | timedelta | None = None) -> Path:
    """Gather, draw and write; the absolute path of the file. ConfigError where it cannot be written."""
    from desk.report.report_page import render

    page = render(gather_report(settings, clickhouse, since))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be written: {error.strerror}") from None
    with whole_file(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out.absolute()


def gather_report(settings: Settings, clickhouse: ClickHouse, since: date | timedelta | None = None) -> Report:
    """The report of the settings' dataset, with the line of its rules."""
    from counterpoise.runtime.clock import SystemClock
    from desk.report.gather import gather
    from desk.rule_line import rule_line

    marks = clickhouse.query("SELECT kind FROM datasets")
    return gather(
        clickhouse,
        dataset=settings.dataset,
        kind=marks[0][0] if marks else settings.dataset_kind,
        chain=settings.ingest.chain,
        made_at=datetime.fromtimestamp(SystemClock().now(), UTC),
        line=rule_line(settings),
        since=since,
    )


def parse_since(given: str | None) -> date | timedelta | None:
    """A day, or a length of time; ConfigError for anything else.

    >>> parse_since("2025-01-01"), parse_since("12w")
    (datetime.date(2025, 1, 1), datetime.timedelta(days=84))
    """
    if given is None:
        return None
    with suppress(ValueError):
        return timedelta(seconds=parse_span(given, "dwy"))
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ConfigError(f"--since takes a day such as 2025-01-01, or 90d, 12w or 2y, not {given!r}") from None
