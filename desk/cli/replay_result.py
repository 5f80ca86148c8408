"""What `counterpoise replay --json` reports of a replay, also of one that stopped before its end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from counterpoise.clickhouse.client import connect
from counterpoise.errors import CounterpoiseError
from counterpoise.pools.registry_file import load_registry
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.line_view import alert_lines
from desk.cli.replay_labels import label_objects, unknown_labels
from desk.cli.replay_line import height_reached


def begun_replay(settings: Settings, source: str, first_height: int, last_height: int) -> dict[str, Any]:
    """The result of a replay that has done nothing yet: its names are those of every result."""
    return {
        "dataset": settings.dataset,
        "dataset_kind": settings.dataset_kind,
        "chain": settings.ingest.chain,
        "source": source,
        "first_height": first_height,
        "last_height": last_height,
        "reached_height": None,
        "blocks": None,
        "seconds": None,
        "dead_letters": None,
        "alerts_fired": None,
        "alerts_cleared": None,
        "alerts": None,
        "unknown_labels": None,
    }


def replayed(settings: Settings) -> dict[str, Any]:
    """How far the dataset is judged, its alerts and its unknown labels; nothing where ClickHouse does not answer."""
    chain = settings.ingest.chain
    found: dict[str, Any] = {}
    with (
        suppress(CounterpoiseError),
        connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse,
    ):
        height = height_reached(settings)(clickhouse, chain)
        alerts = alert_lines(clickhouse)
        labels = label_objects(unknown_labels(clickhouse, chain), load_registry())
        found = {
            "reached_height": None if height < 0 else height,
            "alerts_fired": sum(line.state == "firing" for line in alerts),
            "alerts_cleared": sum(line.state == "resolved" for line in alerts),
            "alerts": [line.as_json() for line in alerts],
            "unknown_labels": labels,
        }
    return found
