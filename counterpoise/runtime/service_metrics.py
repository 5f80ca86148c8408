"""What each service counts and shows as numbers: one entry per metric. `/metrics` and docs/runbook.md follow from it.

A counter is there with 0 from the start of the process: `increase` in Prometheus does not see the first event of one that only
then appears.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from counterpoise.contracts.alert_transition import AlertState

COUNTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "ingest": ("events", "dead_letters", "broker_losses", "block_requests"),
    "backfill": ("events", "dead_letters", "broker_losses"),
    "market": (
        *("events", "dead_letters", "broker_losses", "dropped_files", "failed_files", "fetched_releases"),
        *("pushed_releases", "pushed_duplicates", "pushes_rate_limited", "pushes_unauthorised"),
        *("releases_published", "releases_held", "releases_set_aside"),
    ),
    "streams": (
        *("events", "dead_letters", "duplicates", "too_old", "duplicate_chunks", "observations", "forgotten_releases"),
        *("releases", "asymmetry_rows"),
    ),
    "alerts": ("events", *get_args(AlertState)),
    "desk": ("events", "panel_errors"),
}
"""Kinds of `counterpoise_events_total` by service. Any other service counts `events` only."""

GAUGES: Final[Mapping[str, tuple[str, str]]] = {
    "source_height": ("source_height", "Height of the source's best block"),
    "published_height": ("published_height", "Height of the highest block that was sent to Kafka"),
    "published_time": ("published_block_timestamp_seconds", "Header time of that block"),
    "history_height": ("history_height", "Height that the fetch of history reached"),
    "history_to_height": ("history_target_height", "Height at which it ends"),
    "last_height": ("last_height", "Height of the best block that is scored"),
    "last_block_time": ("last_block_timestamp_seconds", "Header time of that block"),
    "parked": ("parked_branches", "Gaps below blocks that wait for a missing parent"),
    "height": ("judged_height", "Height up to which rules have judged"),
    "undelivered": ("undelivered", "Notifications that are not delivered yet"),
    "bad_messages": ("bad_messages", "Score messages that could not be read"),
    "rules": ("rules", "Rules that are judged"),
    "epoch": ("epoch", "Epoch of the writer; a newer one takes over"),
    "last_slack_success_at": ("last_slack_success_timestamp_seconds", "When Slack last took a message"),
    "last_console_success_at": ("last_console_success_timestamp_seconds", "When the console last took a message"),
    "last_webhook_success_at": ("last_webhook_success_timestamp_seconds", "When the webhook last took an event"),
    "last_alertmanager_success_at": (
        "last_alertmanager_success_timestamp_seconds",
        "When Alertmanager last took an alert",
    ),
    "journal_bytes": ("journal_bytes", "Size of the journal of releases"),
    "unconfirmed_releases": ("unconfirmed_releases", "Releases that are sent and not yet stored"),
    "viewers": ("viewers", "Browsers that watch the page"),
}
"""Numbers of `info` by their names there: the metric's name after `counterpoise_`, and its help."""

LATENCIES: Final[Mapping[str, Mapping[str, str]]] = {
    "streams": {
        "append_to_fetch": "From the append of its message to Kafka until streams has it",
        "fetch_to_store": "From then until the block and its pool are stored",
        "store_to_score": "From then until all scores of the block are stored",
        "seen_to_stored": "From when the source saw the block until all its scores are stored",
    },
    "alerts": {
        "score_to_judge": "From when streams stored the scores until the alerter has judged them by every rule",
        "judge_to_keep": "From then until the rows of the alerts that changed are stored",
        "judge_to_accept": "From when they were judged until a receiver has taken the message of an alert",
    },
}
"""Steps of `counterpoise_latency_seconds` by service, in the order of a block's way. Each is of blocks that are live."""

LATENCY_BUCKETS: Final = (
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)

LIVE_WITHIN_SECONDS: Final = 600.0
"""What was seen longer ago is history that is read again. Its latency is no measure of the line."""


def steps_of(service: str) -> tuple[str, ...]:
    """The steps whose latency a service measures, `streams-2` and the like included."""
    return tuple(LATENCIES.get(service, LATENCIES.get(service.partition("-")[0], {})))


def counters_of(service: str) -> tuple[str, ...]:
    """The counters of a service, `streams-2` and the like included."""
    return COUNTERS.get(service, COUNTERS.get(service.partition("-")[0], ("events",)))
