"""`counterpoise demo`: five years of mining in a minute, with the alert, and SQL for exploring the data."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Final

from rich.markup import escape
from rich.table import Table

from counterpoise.errors import ConfigError
from counterpoise.formats import TEXT
from counterpoise.urls import split_url
from desk.cli.console import Console
from desk.cli.desk import read_link
from desk.cli.options import number

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import ClickHouse
    from counterpoise.settings.model import Settings
    from desk.cli.replay_line import LineReport
    from desk.cli.whole_line import Services

DATASET = "demo"
LINK_PATIENCE_SECONDS = 15.0
MESSAGES_PATIENCE_SECONDS = 10.0

QUESTIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        "How much did the four largest pools mine in April 2025?",
        """WITH (SELECT count() FROM blocks WHERE toYYYYMM(time) = 202504) AS total
SELECT pool, count() AS blocks, round(blocks / total, 4) AS share,
       round(sum(blocks) OVER (ORDER BY blocks DESC) / total, 4) AS together
FROM blocks WHERE toYYYYMM(time) = 202504 AND pool != 'unknown'
GROUP BY pool ORDER BY blocks DESC LIMIT 4""",
    ),
    (
        "Which months were most concentrated?",
        """SELECT month, round(arraySum(arraySlice(arrayReverseSort(groupArrayIf(blocks, pool != 'unknown')), 1, 4)) / sum(blocks), 4)
       AS top4
FROM (SELECT toStartOfMonth(time) AS month, pool, count() AS blocks FROM blocks GROUP BY month, pool)
GROUP BY month ORDER BY top4 DESC LIMIT 5""",
    ),
    (
        "How do the windows and both views of control compare now?",
        """SELECT view, window_blocks, round(top4_share, 4) AS top4, round(top4_share_low, 4) AS low,
       round(top4_share_high, 4) AS high, round(hhi_10000) AS hhi, nakamoto_half
FROM latest_concentration ORDER BY view, window_blocks""",
    ),
    (
        "How long did each alert last?",
        """SELECT min(event_time) AS fired, maxIf(event_time, state = 'resolved') AS cleared,
       dateDiff('day', fired, cleared) AS days
FROM alert_events WHERE state IN ('firing', 'resolved')
GROUP BY alert_id ORDER BY fired""",
    ),
)


def demo(
    speed: Annotated[
        float,
        number("--speed", least=0, help="Multiple of real time; 0 is unlimited."),
    ] = 0.0,
) -> None:
    """Replay 2021–2026 through Kafka, Faust and ClickHouse, and watch the alert "top-4 pool share above 75 %" fire and clear.

    Needs no network and no token. Blocks are simulated from real counts of blocks per pool. Each run makes the dataset `demo` anew.
    """
    from counterpoise.clickhouse.client import connect
    from counterpoise.runtime.logs import configure_logging
    from counterpoise.settings.endpoints import clickhouse_target
    from desk.cli.gap_view import add_market_figures, show_edge, show_gap
    from desk.cli.replay_line import replay_line
    from desk.cli.report import write_report
    from desk.cli.whole_line import Services, engines, sole_replay, start_afresh
    from ingest.blocks.sources.simulated import read_figures

    settings = _demo_settings()
    figures = read_figures()
    console = Console(highlight=False)
    _introduce(console)
    configure_logging(settings.log_format, "warning", service="demo")
    with sole_replay(settings), engines(settings):
        start_afresh(settings)
        with local_channel(settings) as channel, Services(settings, settings.run_dir / "desk.log", ("desk",)) as desk:
            link = _link(settings, desk)
            console.print(f"[bold]The page, live while the years pass:[/] {link}" if link else "", soft_wrap=True)
            if channel:
                console.print(f"[bold]The alerts, in a local Slack channel:[/] {channel}", soft_wrap=True)
            _link_alerts_to(link)

            def after() -> None:
                add_market_figures(settings)
                if channel:
                    _wait_for_messages(settings)

            report = replay_line(
                settings,
                "figures",
                console,
                speed=speed,
                first_height=figures.first_height,
                last_height=figures.last_height,
                after=after,
            )
            with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
                _summary(console, report)
                for question, sql in QUESTIONS:
                    _answer(console, clickhouse, question, sql)
                _last_alert(console, report)
                show_edge(console, clickhouse)
                show_gap(console, clickhouse, settings.ingest.chain)
                page = write_report(settings, clickhouse, settings.state_dir / "report.html")
            console.print(f"\nReport: {page}", soft_wrap=True)
            _go_on(console, settings)
            if link and console.is_terminal and sys.stdin.isatty():
                _stay(console, settings, channel)


def _demo_settings() -> Settings:
    """The settings of the demo. They are environment variables, so that the processes which it starts see the same."""
    from counterpoise.settings.model import Settings
    from desk.cli.whole_line import BACKFILL_TAKE_MESSAGES, take_free_health_ports

    take_free_health_ports()
    os.environ["COUNTERPOISE_DATASET"] = DATASET
    os.environ["COUNTERPOISE_DATASET_KIND"] = "simulated"
    os.environ["COUNTERPOISE_ALERTS__NOTIFIER"] = "console"
    os.environ.setdefault("COUNTERPOISE_STREAMS__TAKE_MESSAGES", BACKFILL_TAKE_MESSAGES)
    os.environ["COUNTERPOISE_STREAMS__ASYMMETRY_DAYS"] = (
        "month_ends"  # a row for each of 1,900 days takes half a minute
    )
    os.environ.setdefault("COUNTERPOISE_DESK__REFRESH_SECONDS", "1")
    os.environ.setdefault("COUNTERPOISE_ALERTS__RULES_FILE", str(resources.files("alerts").joinpath("demo.rules.yaml")))
    return Settings.load()


def _introduce(console: Console) -> None:
    """What is real in the demo and what is drawn."""
    from ingest.blocks.sources.simulated import BIN_BLOCKS, SEED

    console.print("[bold]counterpoise demo[/]: block production by mining pool, January 2021 to April 2026")
    console.print(
        f"Real: the heights, the blocks per pool in each bin of {BIN_BLOCKS} blocks, and the header time at the end of each bin.\n"
        f"Drawn: the order of the blocks inside a bin, from the fixed seed {SEED}.\n"
        "Derived: header times inside a bin (evenly spread), block hashes, and one difficulty for all blocks.",
        style="dim",
    )


@contextmanager
def local_channel(settings: Settings) -> Iterator[str]:
    """A local Slack workspace to which the demo's alerter posts; the address of its channel. Empty where there is none."""
    from desk.local_slack import alerter_variables, may_take_simulated, new_workspace

    if not may_take_simulated(settings):
        yield ""
        return
    with new_workspace(0) as workspace:
        # The dataset is simulated, and the workspace is ours: no other Slack is reached.
        os.environ.update(alerter_variables(workspace) | {"COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE": "true"})
        yield workspace.page_url


def _wait_for_messages(settings: Settings) -> None:
    """Wait until the alerter has no message left, or for a few seconds: the demo does not fail for one that is late."""
    from desk.cli.line_waits import statuses

    deadline = time.monotonic() + MESSAGES_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        info = statuses(settings, ("alerts",)).get("alerts", {}).get("info", {})
        if info.get("undelivered") == 0:
            return
        time.sleep(0.1)


def _link_alerts_to(link: str) -> None:
    """Let messages link to the page that runs: a desk that starts again listens on the same port."""
    page = split_url(link)
    if page.port is not None:
        os.environ.setdefault("COUNTERPOISE_DESK__PORT", str(page.port))
        os.environ.setdefault("COUNTERPOISE_DESK__PUBLIC_URL", f"{page.scheme}://{page.netloc}")


def _link(settings: Settings, desk: Services) -> str:
    """The link that opens the page; empty where it does not come up, which is no reason to end the demo."""
    deadline = time.monotonic() + LINK_PATIENCE_SECONDS
    while desk.failure is None and time.monotonic() < deadline:
        with suppress(ConfigError):
            return read_link(settings.run_root)
        time.sleep(0.1)
    return ""


def _stay(console: Console, settings: Settings, channel: str) -> None:
    """Keep the page and the channel open until Ctrl-C."""
    with suppress(ConfigError):
        console.print(
            f"\n[bold]The page stays open.[/] Ctrl-C ends it and the engines.\n  {read_link(settings.run_root)}"
            + (f"\n  {channel}" if channel else ""),
            soft_wrap=True,
        )
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _summary(console: Console, report: LineReport) -> None:
    fired = sum(line.state == "firing" for line in report.alerts)
    cleared = sum(line.state == "resolved" for line in report.alerts)
    rate = report.replay.blocks / report.seconds
    console.print(
        f"\n[bold]{report.replay.blocks:,} blocks[/] through Kafka, Faust and ClickHouse in {report.seconds:.1f} s, including the "
        f"start of the services ({rate:,.0f} blocks/s). 8 scores per block (4 windows, 2 views); "
        f"[bold]{fired} alerts fired, {cleared} cleared[/]."
    )
    m = report.moment
    if m is not None:
        console.print(
            f"At the end, {m.time:%Y-%m-%d}: the four largest pools mined {TEXT.share(m.top4_share)} of the last "
            f"{TEXT.count(m.n)} blocks "
            f"(95 % interval {TEXT.share_range(m.top4_low, m.top4_high)}); {m.nakamoto_half} pools suffice for a majority."
        )


def _last_alert(console: Console, report: LineReport) -> None:
    """The last two messages of the channel."""
    told = report.alerts[-2:]
    if told:
        console.print("\n[bold]The last alert, as it fired and cleared[/]")
    for line in told:
        console.print(line.text(), soft_wrap=True)


def _answer(console: Console, clickhouse: ClickHouse, question: str, sql: str) -> None:
    console.print(f"\n[bold]{question}[/]\n[cyan]{escape(sql)}[/]", soft_wrap=True)
    names: list[str] = []
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heads, columns in clickhouse.stream(sql):
        if not names:
            names = [name for name, _ in heads]
            for name in names:
                table.add_column(name)
        for row in zip(*columns, strict=True):
            table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(
            " ".join(str(part) for part in item) if isinstance(item, tuple) else str(item) for item in value[:4]
        )
    return str(value).removesuffix("+00:00")


def _go_on(console: Console, settings: Settings) -> None:
    command = shlex.join([sys.argv[0], "--state-dir", str(settings.state_dir), "--dataset", DATASET])
    up, down = (shlex.join([sys.argv[0], "--state-dir", str(settings.state_dir), what]) for what in ("up", "down"))
    console.print(
        f"\nThe data is kept. Commands for exploring it:\n  {up}\n  {command} sql --list\n"  # noqa: S608 - shown, not run
        f'  {command} sql "SELECT * FROM latest_concentration"\n  {command} sql --name asymmetry_history\n  {command} desk\n  {down}',
        soft_wrap=True,
    )
