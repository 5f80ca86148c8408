"""What other workers wrote, as messages to the pairs that rest on it."""

from __future__ import annotations

from collections.abc import Iterable

from counterpoise.contracts.pairs import PAIR_KIND, PairEvent
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.contracts.topics import PAIRS
from counterpoise.series.catalogue import Catalogue
from streams.asymmetry.fold.pair_messages import release_events, score_pair_events
from streams.blocks.loader import stored_chains
from streams.worker import Outgoing, Output, SeriesChanged
from streams.worker_store import WorkerStore


def with_pair_events(outputs: Iterable[Output], catalogue: Catalogue, store: WorkerStore) -> list[Outgoing]:
    """What is to be sent, each followed by the events of the pairs that it moves.

    `store` belongs to the thread that calls. A changed series moves its pairs with every chain that is stored.
    """
    found: list[Outgoing] = []
    for output in outputs:
        if isinstance(output, SeriesChanged):
            found += _outgoing(_release_events(output, catalogue, store))
        else:
            found.append(output)
            if isinstance(output.event, ScoreEvent):
                found += _outgoing(score_pair_events(catalogue, output.event))
    return found


def _release_events(change: SeriesChanged, catalogue: Catalogue, store: WorkerStore) -> list[PairEvent]:
    if not any(catalogue[name].pairs_with_mining for name in change.series):
        return []
    return release_events(catalogue, store.read(stored_chains), change.series)


def _outgoing(events: Iterable[PairEvent]) -> list[Outgoing]:
    return [Outgoing(PAIRS, event.key, event, PAIR_KIND) for event in events]
