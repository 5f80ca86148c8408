"""`counterpoise status`: engines, services, lag, the last block; exit code 0 if everything is healthy, 1 if not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from counterpoise.spans import rough_span
from desk.cli.console import Console
from desk.cli.options import number
from desk.cli.say import say

if TYPE_CHECKING:
    from desk.supervise.health import Health


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh the status until Ctrl-C.")] = False,
    every: Annotated[
        float,
        number("--every", least=0.5, most=3600, help="Seconds between refreshes of --watch."),
    ] = 2.0,
) -> None:
    """Show whether engines answer and services run, with their lag, their waits and the last block.

    Exit code 0 if everything is healthy, 1 if not.
    """
    from rich.live import Live

    from counterpoise.runtime.clock import SystemClock
    from counterpoise.settings.model import Settings
    from desk.supervise.health import collect
    from desk.supervise.next_command import next_command

    settings, clock = Settings.load(), SystemClock()
    report = collect(settings, clock)
    if watch and not as_json:
        with Live(render(report), console=Console(), screen=False, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                report = collect(settings, clock)
                live.update(render(report), refresh=True)
    while watch:
        say(json.dumps(report.as_json() | {"next_command": next_command(report)}))
        time.sleep(every)
        report = collect(settings, clock)
    if as_json:
        say(json.dumps(report.as_json() | {"next_command": next_command(report)}, indent=1))
    else:
        Console().print(render(report))
    raise typer.Exit(0 if report.healthy else 1)


def render(report: Health) -> Group:
    """The report for people."""
    from counterpoise.formats import utc_second
    from desk.supervise.next_command import next_command

    engines = _table("engine", "where", "answers")
    for engine in report.engines:
        answer = Text(f"in {engine.answer_ms:g} ms", "green") if engine.problem is None else Text(engine.problem, "red")
        engines.add_row(engine.name, engine.where, answer)
    services = _table("service", "state", "lag", "last progress", "")
    for service in report.services:
        services.add_row(
            f"{service.name} {service.instance}".rstrip(),
            Text(service.state, "green" if service.healthy else "red"),
            "" if service.lag_messages is None else f"{service.lag_messages:,}",
            _age(report.at, service.last_progress_at),
            Text(service.detail),
        )
    remote = _table("elsewhere", "host", "state", "height", "reported", "")
    for one in report.elsewhere:
        remote.add_row(
            one.service,
            Text(one.host),
            Text(one.state, "red" if one.problem else "green"),
            Text(", ".join(f"{chain} {height:,}" for chain, height in one.heights.items())),
            f"{rough_span(one.age_seconds)} ago",
            Text(one.problem),
        )
    lag = _table("group", "topic", "partition", "committed", "end", "lag")
    for row in report.lag:
        if row.end or row.committed:
            committed = "never" if row.committed is None else f"{row.committed:,}"
            lag.add_row(row.group, row.topic, str(row.partition), committed, f"{row.end:,}", f"{row.lag:,}")
    blocks = _table("chain", "last block", "hash", "time (UTC)", "age", "")
    for block in report.last_blocks:
        blocks.add_row(
            block.chain,
            f"{block.height:,}",
            f"{block.hash[:8]}…{block.hash[-8:]}",
            utc_second(block.time),
            _age(report.at, block.time),
            Text(f"{block.parked:,} above it wait for a missing block" if block.parked else "", "red"),
        )
    verdict = Text("healthy", "bold green") if report.healthy else Text("not healthy", "bold red")
    head = Text.assemble(f"dataset {report.dataset} at {utc_second(report.at)} UTC: ", verdict)
    slack = Text(f"last Slack success: {_age(report.at, report.last_slack_success_at) or 'none since alerts started'}")
    parts: list[RenderableType] = [head, engines, services]
    parts += [table for table in (remote, lag, blocks) if table.row_count]
    for chain in report.to_rescore:
        note = f"{chain}: an older version scored its history: `counterpoise rescore` adds the days of newer metrics"
        parts.append(Text(note, "yellow"))
    step = next_command(report)
    return Group(*parts, slack, *([Text(f"next: {step}", "bold")] if step else []))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column, overflow="fold", justify="right" if column in {"lag", "committed", "end", "partition"} else "left"
        )
    return table


def _age(now: float, then: float | None) -> str:
    return "" if then is None else f"{rough_span(now - then)} ago"
