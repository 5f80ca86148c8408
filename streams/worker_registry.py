"""Every worker of the service: the topic that it reads, in which batches, in which thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS, EDGE_AI, PAIRS, Topic
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.model import Settings
from streams.asymmetry.worker import AsymmetryWorker
from streams.blocks.worker import BlockWorker
from streams.dead_letters.worker import DeadLetterWorker
from streams.releases.worker import ReleaseWorker
from streams.worker import Worker
from streams.worker_store import WorkerStore


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker is made from. The store belongs to its thread."""

    settings: Settings
    store: WorkerStore
    catalogue: Catalogue

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.settings.dataset

    @property
    def partitions(self) -> int:
        """How many each topic has that chains and series are spread over."""
        return self.settings.kafka.partitions

    def dead_letter_limit(self) -> DeadLetterLimit:
        """A limit of the worker's own, at the service's settings."""
        streams = self.settings.streams
        return DeadLetterLimit(streams.dead_letter_limit_window, streams.dead_letter_limit_ratio)


@dataclass(frozen=True, slots=True)
class Batching:
    """A batch is handed over at `messages`, or `within_seconds` after its first message."""

    messages: int
    within_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """One worker. Entries of one thread share its ClickHouse session and take turns."""

    name: str
    topic: Topic
    thread: str
    batching: Callable[[Settings], Batching]
    create: Callable[[WorkerContext], Worker]


def _of_settings(settings: Settings) -> Batching:
    return Batching(settings.streams.take_messages, settings.streams.take_within_seconds)


def _fixed(messages: int, within_seconds: float) -> Callable[[Settings], Batching]:
    return lambda _: Batching(messages, within_seconds)


def _blocks(context: WorkerContext) -> Worker:
    return BlockWorker(
        context.store, dataset=context.dataset, limit=context.dead_letter_limit(), partitions=context.partitions
    )


def _dead_letters(context: WorkerContext) -> Worker:
    return DeadLetterWorker(context.store)


def _pairs(context: WorkerContext) -> Worker:
    return AsymmetryWorker(
        context.store,
        dataset=context.dataset,
        catalogue=context.catalogue,
        month_ends_only=context.settings.streams.asymmetry_days == "month_ends",
        partitions=context.partitions,
    )


def _releases(context: WorkerContext) -> Worker:
    return ReleaseWorker(
        context.store,
        dataset=context.dataset,
        catalogue=context.catalogue,
        limit=context.dead_letter_limit(),
        partitions=context.partitions,
    )


# Partitions are handed over in this order, workers are closed in the reverse order. Pairs and releases have a thread each: a history
# that is scored anew takes its time, and what arrives meanwhile is stored. Pair messages that come close together are one read.
WORKERS: Final[tuple[WorkerEntry, ...]] = (
    WorkerEntry("blocks", BLOCKS, "fold", _of_settings, _blocks),
    WorkerEntry("dead-letters", DEAD_LETTERS, "fold", _fixed(100, 0.2), _dead_letters),
    WorkerEntry("pairs", PAIRS, "pairs", _fixed(500, 0.5), _pairs),
    WorkerEntry("releases", EDGE_AI, "releases", _fixed(16, 0.05), _releases),
)
