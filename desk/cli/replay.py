"""`counterpoise replay` and `counterpoise backfill`: blocks of the past, from a file or from the configured source."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from desk.cli.console import Console
from desk.cli.options import HIGHEST, JobJsonOption, number

if TYPE_CHECKING:
    from ingest.blocks.backfill import ReplayReport

REPLAY_DATASET = "replay"

FromHeight = Annotated[int | None, number("--from-height", least=0, most=HIGHEST, help="First height.")]


class Gaps(StrEnum):
    """What happens to heights that a file leaves out."""

    REFUSE = "refuse"
    UNKNOWN = "unknown"


ToHeight = Annotated[int | None, number("--to-height", least=0, most=HIGHEST, help="Last height.")]


def replay(
    blocks: Annotated[
        str,
        typer.Option(
            "--blocks", help="A .parquet, .csv or .jsonl file, or `figures`: the packaged counts.", metavar="FILE"
        ),
    ],
    speed: Annotated[
        float,
        number("--speed", least=0, help="Multiple of real time; 0 is unlimited."),
    ] = 0.0,
    from_height: FromHeight = None,
    to_height: ToHeight = None,
    *,
    gaps: Annotated[
        Gaps, typer.Option("--gaps", help="Refuse a file that leaves out heights, or count them as unknown.")
    ] = Gaps.REFUSE,
    goes_on: Annotated[
        bool, typer.Option("--continue", help="Resume at the end of the dataset, instead of making it anew.")
    ] = False,
    as_json: JobJsonOption = False,
) -> None:
    """Send a file of blocks through Kafka, Faust and ClickHouse into a separate dataset, with alerts on the console.

    The file has columns height, time and pool, or coinbase evidence (docs/sources.md). The dataset is `replay` unless
    --dataset names another. It is emptied first unless --continue is given. A live dataset is refused. Labels that the registry
    lacks are listed at the end. With --json the result has them and all alerts.
    """
    from counterpoise.clickhouse.client import connect
    from counterpoise.pools.registry_file import load_registry
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.cli.job_result import job_result
    from desk.cli.replay_labels import label_lines, unknown_labels
    from desk.cli.replay_line import replay_line
    from desk.cli.replay_result import begun_replay, replayed
    from desk.cli.whole_line import (
        BACKFILL_TAKE_MESSAGES,
        engines,
        sole_replay,
        start_afresh,
        take_free_health_ports,
    )
    from ingest.blocks.backfill import height_range
    from ingest.blocks.sources.replay_source import FIGURES, replay_source

    os.environ.setdefault("COUNTERPOISE_DATASET", REPLAY_DATASET)
    os.environ.setdefault("COUNTERPOISE_DATASET_KIND", "simulated" if blocks == FIGURES else "historical")
    os.environ.setdefault("COUNTERPOISE_ALERTS__NOTIFIER", "console")
    os.environ.setdefault("COUNTERPOISE_STREAMS__TAKE_MESSAGES", BACKFILL_TAKE_MESSAGES)
    take_free_health_ports()
    if gaps is not Gaps.REFUSE:
        os.environ["COUNTERPOISE_INGEST__REPLAY__GAPS"] = gaps
    settings = Settings.load()
    source = replay_source(settings, blocks, SystemClock())
    first, last = height_range(source, from_height, to_height)
    with job_result(as_json) as result:
        console = Console(highlight=False)
        console.print(
            f"[bold]counterpoise replay[/]: {blocks}, heights {first:,} to {last:,}, into dataset {settings.dataset}"
        )
        with sole_replay(settings), engines(settings):
            if not goes_on:
                start_afresh(settings)
            if as_json:
                result.update(begun_replay(settings, blocks, first, last))
            try:
                report = replay_line(
                    settings,
                    blocks,
                    console,
                    speed=speed,
                    first_height=first,
                    last_height=last,
                    from_height=from_height,
                    to_height=to_height,
                )
                result.update(
                    blocks=report.replay.blocks,
                    seconds=round(report.seconds, 3),
                    dead_letters=report.replay.dead_letters,
                )
            finally:
                if as_json:
                    result.update(replayed(settings))
            with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
                unknown = unknown_labels(clickhouse, settings.ingest.chain)
        fired = sum(line.state == "firing" for line in report.alerts)
        cleared = sum(line.state == "resolved" for line in report.alerts)
        console.print(
            f"\n[bold]{report.replay.blocks:,} blocks[/] in {report.seconds:.1f} s; [bold]{fired} alerts fired, {cleared} cleared[/]."
        )
        for line in label_lines(unknown, load_registry()):
            console.print(line, markup=False, soft_wrap=True)


def backfill(
    from_height: FromHeight = None,
    from_date: Annotated[
        datetime | None,
        typer.Option("--from-date", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="First day (UTC).", metavar="DATE"),
    ] = None,
    to_height: ToHeight = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until ClickHouse has the last block.")] = True,
    as_json: JobJsonOption = False,
) -> None:
    """Fetch past blocks from the configured source (bitcoind, mempool) into Kafka, with a progress bar.

    `counterpoise run streams` must run, so that they reach ClickHouse. Stored blocks are not fetched again. Blocks before the
    first stored one cannot be added: fill another dataset.
    """
    if (from_height is None) == (from_date is None):
        raise ConfigError("backfill needs a beginning: give either --from-height or --from-date")
    from counterpoise.runtime.logs import configure_logging
    from counterpoise.runtime.service_status import ServiceStatus
    from counterpoise.settings.model import Settings
    from desk.cli.job_result import job_result
    from ingest.blocks.backfill import run_backfill
    from ingest.blocks.sources.block_sources import configured_source

    settings = Settings.load()
    configure_logging(settings.log_format, settings.log_level, service="backfill")
    clock = SystemClock()
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    console = Console(stderr=True, highlight=False)
    with (
        job_result(as_json) as result,
        ServiceStatus("backfill", settings.run_dir, clock) as status,
        _Bars(console) as bars,
    ):
        report = run_backfill(
            settings,
            configured_source(settings, clock),
            stop=stop,
            status=status,
            clock=clock,
            on_progress=bars.published,
            on_stored=bars.stored,
            from_height=from_height,
            from_time=None if from_date is None else int(from_date.replace(tzinfo=UTC).timestamp()),
            to_height=to_height,
            wait_until_stored=wait,
        )
        result.update(
            complete=report.complete,
            dataset=settings.dataset,
            chain=settings.ingest.chain,
            source=report.source,
            blocks=report.blocks,
            first_height=report.first_height,
            last_height=report.last_height,
            seconds=round(report.total_seconds, 3),
            dead_letters=report.dead_letters,
        )
    console.print(_sentence(report))
    if not report.complete:
        raise typer.Exit(130)


def _sentence(report: ReplayReport) -> str:
    end = "" if report.complete else ": stopped before the end; run the same command to resume"
    letters = f", {report.dead_letters} dead letters" if report.dead_letters else ""
    return (
        f"{report.blocks:,} blocks of heights {report.first_height:,} to {report.last_height:,} from {report.source} in "
        f"{report.total_seconds:.1f} s{letters}{end}"
    )


class _Bars:
    """Two bars: blocks in Kafka, and blocks in ClickHouse."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._first: int | None = None
        self._last = 0
        self._published: TaskID | None = None
        self._stored: TaskID | None = None

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def published(self, height: int, last_height: int) -> None:
        """Kafka has the blocks up to `height`."""
        if self._first is None or self._published is None:
            self._first, self._last = height, last_height
            self._published = self._progress.add_task("sent to Kafka", total=last_height - height + 1)
        self._progress.update(self._published, completed=height - self._first + 1)

    def stored(self, height: int) -> None:
        """ClickHouse has the blocks up to `height`."""
        first = self._first if self._first is not None else height
        if self._stored is None:
            self._stored = self._progress.add_task("stored", total=max(1, self._last - first + 1))
        self._progress.update(self._stored, completed=max(0, min(height, self._last) - first + 1))
