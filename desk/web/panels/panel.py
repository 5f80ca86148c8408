"""What a panel of the page is: how it is read, how it is drawn, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from counterpoise.clickhouse.pool_blocks import PoolBlocks, read_pool_blocks
from desk.asker import Asker
from desk.report.report_model import RuleLine
from desk.web.api_link import ApiLink

Tier = Literal["now", "why", "so-what"]
TIERS: Final[dict[Tier, str]] = {"now": "Now", "why": "Why", "so-what": "So what"}
"""The parts of the page in their order."""

SLOW_SECONDS: Final = 20.0
"""A panel whose figures change by day or by quarter is read at most this often, however often blocks come."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """What every panel of a page is about. `line` is the alert rule that plots draw; `now` is UTC.

    `height` is None on the live page. On a page of the past it is the newest block of that page, and `now` is its header time.
    `docs_url` is where the documentation is, without a slash at its end; empty where it is nowhere.
    """

    dataset: str
    kind: str
    chain: str
    window_blocks: int
    line: RuleLine | None
    now: datetime
    height: int | None = None
    docs_url: str = ""

    @property
    def at(self) -> str:
        """`now` as a parameter of a query, UTC with milliseconds."""
        return f"{self.now:%Y-%m-%d %H:%M:%S.%f}"[:-3]

    @property
    def up_to(self) -> dict[str, object]:
        """The height as a parameter of a query that takes the newest block without one."""
        return {} if self.height is None else {"height": self.height}

    @property
    def series(self) -> dict[str, object]:
        """Chain, and the block of a page of the past, as parameters of the API."""
        return {"chain": self.chain, **self.up_to}

    @property
    def known(self) -> dict[str, object]:
        """The time of a page of the past as the API takes it: what came later is left out."""
        return {} if self.height is None else {"as_of": f"{self.now:%Y-%m-%dT%H:%M:%S}Z"}

    @property
    def until(self) -> dict[str, object]:
        """The chain, `up_to`, and `at` on a page of the past: for a query on alerts, some of which rest on the clock."""
        return {"chain": self.chain, **({} if self.height is None else {"height": self.height, "at": self.at})}


def no_link(_: PageContext) -> Sequence[ApiLink]:
    """No endpoint has these figures."""
    return ()


@dataclass(frozen=True, slots=True)
class Panel:
    """`read` asks ClickHouse and returns values; `draw` makes markup of them and is pure. `wide` panels take the whole row.

    `api` gives the requests to the API that have the same figures, or what they are computed from. A slow panel shows what changes
    by day or quarter; see SLOW_SECONDS.
    """

    name: str
    title: str
    tier: Tier
    read: Callable[[Asker, PageContext], Any]
    draw: Callable[[Any, PageContext], str]
    wide: bool = False
    slow: bool = False
    api: Callable[[PageContext], Sequence[ApiLink]] = no_link


def pool_blocks(asker: Asker, context: PageContext) -> PoolBlocks:
    """The window of the page, newest or as of its block; panels of one reading share it. ConfigError where it is not scored."""
    where = context.chain, context.window_blocks, context.height
    return asker.once(("pool_blocks", *where), lambda: read_pool_blocks(asker.clickhouse, *where))
