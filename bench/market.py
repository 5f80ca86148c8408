"""The AI side of the line: 100,000 observations in releases through Kafka, Faust and ClickHouse, dispersion included.

    python -m bench.market

Two shapes, each 100,000 observations: who serves which model (20 releases of 5,000, values without a stated error), and owners with
percentiles (100 releases of 1,000, every interval from draws). The clock runs from the first message to the last row that the views
show; services are running already. Producing is part of it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from bench.line import wait_for_services
from bench.report import Figure, machine, peak_memory_mib, table
from bench.side_by_side import add_against, compared
from bench.stand import engines
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.releases import Observation
from counterpoise.runtime.logs import configure_logging
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.whole_line import Services, start_afresh
from ingest.releases.demo_figures import publish

OBSERVATIONS = 100_000
RATE_LIMIT = 20_000.0
MEMORY_LIMIT_MIB = 300.0
PATIENCE_SECONDS = 120.0


def head(series_name: str, step: int) -> Head:
    series = load_catalogue()[series_name]
    day = date(2020, 1, 1) + timedelta(days=step)
    return Head(
        series=series_name,
        kind="measured",
        layer=series.layer,
        unit=series.unit,
        period_start=day.isoformat(),
        period_end=day.isoformat(),
        published_at_ms=int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000),
        source="bench",
        licence="none",
    )


def offers(releases: int, observations: int) -> list[Release]:
    """Providers and the models that each of them serves."""
    draw = random.Random(1)
    made = []
    for step in range(releases):
        pairs: dict[tuple[str, str], None] = {}
        while len(pairs) < observations:
            pairs[f"provider-{int(draw.expovariate(0.1)) % 60}", f"model-{draw.randrange(3_000)}"] = None
        made.append(
            make_release(
                head("openrouter-models", step), [Observation(owner=one, item=item, value=1.0) for one, item in pairs]
            )
        )
    return made


def owners(releases: int, observations: int) -> list[Release]:
    """Owners with a median and percentiles, each in several parts."""
    draw = random.Random(2)
    made = []
    for step in range(releases):
        rows = []
        for at in range(observations):
            value = draw.lognormvariate(8, 2)
            rows.append(
                Observation(
                    owner="Other" if at == 0 else f"owner-{at % 250}",
                    part=f"part-{at // 250}",
                    value=value,
                    value_p5=value / 1.6,
                    value_p95=value * 1.6,
                    residual=at == 0,
                )
            )
        made.append(make_release(head("epoch-ai-compute-owners", step), rows))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_against(parser)
    if compared("market", parser.parse_args()):
        return
    configure_logging("text", "warning")
    with engines():
        figures = run(Settings.load())
    print(f"{machine()}\n\n{table(figures)}")


def run(settings: Settings) -> list[Figure]:
    start_afresh(settings)
    figures: list[Figure] = []
    shapes: list[tuple[str, Callable[[int, int], list[Release]], int]] = [
        ("who serves which model", offers, 20),
        ("owners with percentiles", owners, 100),
    ]
    with (
        Services(settings, settings.run_dir / "services.log"),
        connect(clickhouse_target(settings), settings.dataset) as clickhouse,
    ):
        pids = wait_for_services(settings)
        for name, make, releases in shapes:
            made = make(releases, OBSERVATIONS // releases)
            began = time.perf_counter()
            publish(settings, made)
            wait_for_rows(clickhouse, made[0].head.series, releases)
            seconds = time.perf_counter() - began
            # The ratio is under 1.00 where the line is faster than it has to be.
            said = f"{OBSERVATIONS:,} observations, {name}: {OBSERVATIONS / seconds:,.0f} a second"
            figures.append(Figure(said, seconds, "s", OBSERVATIONS / RATE_LIMIT))
        memory = peak_memory_mib(pids["streams"])
    return [*figures, Figure("peak memory of streams", memory, "MiB", MEMORY_LIMIT_MIB)]


def wait_for_rows(clickhouse: ClickHouse, series: str, releases: int) -> None:
    """Until the views show every release and its placement, which is written after its dispersion.

    The views are asked only once the table has it all: a reader at the tables would be part of what is measured.
    """
    table = "SELECT uniqExact(release_id) FROM placement_log WHERE series = {series:String}"
    views = (
        "SELECT (SELECT count() FROM releases WHERE series = {series:String}), "
        "(SELECT uniqExact(release_id) FROM placement WHERE series = {series:String})"
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    for sql, wanted in ((table, (releases,)), (views, (releases, releases))):
        while (found := clickhouse.query(sql, {"series": series})) != [wanted]:
            if time.monotonic() > deadline:
                raise SystemExit(f"{series}: {found} of {wanted} releases arrived")
            time.sleep(0.02)


if __name__ == "__main__":
    main()
