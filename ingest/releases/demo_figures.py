"""The demo's AI side: two small tables of figures that the package carries.

Who owns AI compute, by owner and quarter (Epoch AI), and what Python developers install, by package and month (PyPI).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.resources import files

from kafka.errors import KafkaError

from counterpoise.contracts.envelope import encode
from counterpoise.contracts.releases import RELEASE_KIND
from counterpoise.contracts.topic_schemas import headers_of
from counterpoise.contracts.topics import EDGE_AI
from counterpoise.errors import ConfigError, DeadLetterError, RetryableError
from counterpoise.kafka.clients import make_producer
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.series.catalogue import Series
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release, to_events
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from ingest.releases.sources.parse.epoch import SERIES as OWNERS
from ingest.releases.sources.parse.epoch import epoch_releases
from ingest.releases.sources.parse.pypi import SERIES as PACKAGES
from ingest.releases.sources.parse.pypi import pypi_releases

OWNERS_TABLE = "ai_compute_owners.csv"
PACKAGES_TABLE = "ai_package_downloads.csv"
SEND_SECONDS = 60
_PUBLISHED = "# published "


def read_market_figures() -> list[Release]:
    """All that the package carries of the AI side."""
    return [*read_owner_figures(), *read_package_figures()]


def read_owner_figures() -> list[Release]:
    """A release for each quarter of the packaged table; ConfigError where the installation lacks it or it was changed."""
    return _packaged(OWNERS_TABLE, lambda text: parse_owner_figures(text, load_catalogue()[OWNERS]))


def read_package_figures() -> list[Release]:
    """A release for each monthly snapshot of the packaged table, published on its day; ConfigError as above."""
    series = load_catalogue()[PACKAGES]
    return _packaged(PACKAGES_TABLE, lambda text: pypi_releases(_without_head(text), series, origin=PACKAGES_TABLE))


def _packaged(name: str, parse: Callable[[str], list[Release]]) -> list[Release]:
    try:
        return parse(files("ingest").joinpath("data", name).read_text(encoding="utf-8"))
    except (OSError, ValueError, DeadLetterError) as error:
        raise ConfigError(f"the packaged table {name} cannot be used ({error}): install counterpoise again") from None


def _without_head(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def parse_owner_figures(text: str, series: Series) -> list[Release]:
    """The releases of a table under a head of comments, one of which is `# published YYYY-MM-DD`.

    ValueError where none is, DeadLetterError where the rest is not the packaged layout.
    """
    published = next((one.removeprefix(_PUBLISHED) for one in text.splitlines() if one.startswith(_PUBLISHED)), None)
    if published is None:
        raise ValueError(f"expected a line `{_PUBLISHED}YYYY-MM-DD`")
    published_at = datetime.fromisoformat(published.strip()).replace(tzinfo=UTC)
    return epoch_releases(
        {OWNERS_TABLE: _without_head(text)}, series, published_at_ms=int(published_at.timestamp() * 1000)
    )


def publish(settings: Settings, releases: Iterable[Release]) -> int:
    """Send releases to Kafka, a message each, and return how many, once the broker has them all.

    Nothing is journalled: this is for a demo and for tests. RetryableError where the broker does not answer.
    """
    kafka = kafka_target(settings)
    ensure_topics(kafka, settings.dataset, settings.kafka.replication_factor, partitions=settings.kafka.partitions)
    producer = make_producer(kafka, "counterpoise-figures")
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
            key = release.head.series.encode()
            pending.append(producer.send(topic, key=key, value=value, headers=list(headers_of(EDGE_AI))))
        producer.flush(SEND_SECONDS)
        for future in pending:
            future.get(SEND_SECONDS)
    except KafkaError as error:
        raise RetryableError(f"Kafka at {kafka.bootstrap}: {error}") from error
    finally:
        producer.close(timeout=5)
    return len(pending)
