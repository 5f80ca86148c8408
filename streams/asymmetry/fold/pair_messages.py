"""Which pairs there are, and the message that one of them moved. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from counterpoise.contracts.pairs import PairEvent
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.series.catalogue import Catalogue
from counterpoise.windows import USUAL_WINDOW_BLOCKS, VIEWS
from streams.asymmetry.fold.score import Pair


def pairs_of(catalogue: Catalogue, chain: str) -> list[Pair]:
    """Every series that pairs with mining, by each of its include-lists, against both views of control of a chain."""
    return [
        Pair(series.series, one.id, chain, view, USUAL_WINDOW_BLOCKS)
        for series in catalogue
        if series.pairs_with_mining
        for one in series.lists
        for view in VIEWS
    ]


def pair_event(pair: Pair, cause: Literal["release", "blocks"], from_height: int | None = None) -> PairEvent:
    """That a side of the pair moved."""
    return PairEvent(
        series=pair.series,
        list_id=pair.list_id,
        chain=pair.chain,
        view=VIEWS[VIEWS.index(pair.view)],
        window_blocks=pair.window_blocks,
        cause=cause,
        from_height=from_height,
    )


def release_events(catalogue: Catalogue, chains: Iterable[str], series: Iterable[str]) -> list[PairEvent]:
    """That releases of these series arrived, to every pair of them."""
    changed = frozenset(series)
    return [
        pair_event(pair, "release")
        for chain in sorted(chains)
        for pair in pairs_of(catalogue, chain)
        if pair.series in changed
    ]


def score_pair_events(catalogue: Catalogue, score: ScoreEvent) -> list[PairEvent]:
    """That blocks were scored, to every pair of their chain."""
    return [pair_event(pair, "blocks", score.from_height) for pair in pairs_of(catalogue, score.chain)]
