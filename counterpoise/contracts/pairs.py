"""That one of the two sides of a pair moved: what joins releases (keyed by series) and blocks (keyed by chain) under one key.

The message names the pair and no more. Both sides are in ClickHouse before it is sent, and the score is a function of
ClickHouse's content. A message that is lost, late or doubled changes no row.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from counterpoise.contracts.base import Contract, Height, Slug
from counterpoise.windows import View

PAIR_KIND = "pair"
"""The kind of an envelope of PairEvents."""


class PairEvent(Contract):
    """`series` by `list_id` against `chain` under `view` and `window_blocks`.

    cause         what moved: a release of the series, or blocks of the chain
    from_height   the lowest height that was written anew, of blocks; None of a release
    """

    series: Slug
    list_id: Slug
    chain: Slug
    view: View
    window_blocks: Annotated[int, Field(ge=1, le=0xFFFF)]
    cause: Literal["release", "blocks"]
    from_height: Height | None = None

    @property
    def key(self) -> str:
        """What messages of the pair are keyed by."""
        return f"{self.series}/{self.list_id}/{self.chain}/{self.view}/{self.window_blocks}"
