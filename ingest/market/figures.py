"""The demo's AI side: a small table of figures that the package carries (Epoch AI: who owns AI compute, by owner and quarter)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files

from kafka.errors import KafkaError

from counterpoise.contracts.envelope import encode
from counterpoise.contracts.releases import RELEASE_KIND, Observation
from counterpoise.contracts.topics import EDGE_AI
from counterpoise.endpoints import kafka_bootstrap
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.clients import make_producer
from counterpoise.kafka.topics import ensure_topics
from counterpoise.series.catalogue import Series
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release, to_events
from counterpoise.settings import Settings
from ingest.market.epoch import METHOD
from ingest.market.epoch import SERIES as OWNERS

TABLE_NAME = "ai_compute_owners.csv"
COLUMNS = "quarter_end,owner,maker,table,h100e,p5,p95"
SEND_SECONDS = 60


def read_owner_figures() -> list[Release]:
    """A release for each quarter of the packaged table; ConfigError where the installation lacks it or it was changed."""
    resource = files("ingest").joinpath("data", TABLE_NAME)
    try:
        return parse_owner_figures(resource.read_text(encoding="utf-8"), load_catalogue()[OWNERS])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"the packaged table {TABLE_NAME} cannot be used ({error}): install counterpoise again"
        ) from None


def parse_owner_figures(text: str, series: Series) -> list[Release]:
    """Parse `quarter_end,owner,maker,table,h100e,p5,p95` rows under a head of comments; ValueError where it is not such a table."""
    published: str | None = None
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("# published "):
            published = line.removeprefix("# published ").strip()
        elif line and not line.startswith("#"):
            lines.append(line)
    if published is None or not lines or lines[0] != COLUMNS:
        raise ValueError(f"expected a line `# published YYYY-MM-DD` and the columns {COLUMNS}")
    found: dict[date, list[Observation]] = {}
    for row in csv.DictReader(lines):
        owner = series.owner_of(row["owner"])
        found.setdefault(date.fromisoformat(row["quarter_end"]), []).append(
            Observation(
                owner=owner,
                value=float(row["h100e"]),
                value_p5=float(row["p5"]) if row["p5"] else None,
                value_p95=float(row["p95"]) if row["p95"] else None,
                residual=owner in series.residual_owners,
                part=row["table"],
                item=row["maker"],
            )
        )
    published_on = date.fromisoformat(published)
    published_at = datetime(published_on.year, published_on.month, published_on.day, tzinfo=UTC)
    return [_release(series, day, found[day], int(published_at.timestamp() * 1000)) for day in sorted(found)]


def publish(settings: Settings, releases: Iterable[Release]) -> int:
    """Send releases to Kafka, a message each, and return how many, once the broker has them all.

    Nothing is journalled: this is for a demo and for tests. RetryableError where the broker does not answer.
    """
    bootstrap = kafka_bootstrap(settings)
    ensure_topics(bootstrap, settings.dataset, settings.kafka.replication_factor)
    producer = make_producer(bootstrap, "counterpoise-figures")
    sent_at_ms = int(datetime.now(UTC).timestamp() * 1000)
    topic = EDGE_AI.full_name(settings.dataset)
    pending = []
    try:
        for release in releases:
            value = encode(
                to_events(release),
                kind=RELEASE_KIND,
                dataset=settings.dataset,
                producer="figures",
                sent_at_ms=sent_at_ms,
            )
            pending.append(producer.send(topic, key=release.head.series.encode(), value=value))
        producer.flush(SEND_SECONDS)
        for future in pending:
            future.get(SEND_SECONDS)
    except KafkaError as error:
        raise RetryableError(f"Kafka at {bootstrap}: {error}") from error
    finally:
        producer.close(timeout=5)
    return len(pending)


def _release(series: Series, day: date, observations: Sequence[Observation], published_at_ms: int) -> Release:
    published = datetime.fromtimestamp(published_at_ms / 1000, UTC).date()
    missing = series.missing_coverage(frozenset(one.part for one in observations), day, published)
    head = Head(
        series=series.series,
        kind=series.kind,
        layer=series.layer,
        unit=series.unit,
        period_start=date(day.year, day.month - 2, 1).isoformat(),
        period_end=day.isoformat(),
        published_at_ms=published_at_ms,
        source=series.source,
        licence=series.licence,
        coverage="partial" if missing else "full",
        coverage_note=missing,
        method=METHOD,
    )
    return make_release(head, observations)
