"""Trailing windows, views of control, leaders of a row, and the deepest reorganisation that is followed: each stated once.

Every other place, Python and generated SQL alike, takes these from here.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

View = Literal["raw", "entity"]
"""raw: pools by name; entity: owners and proxies after the dated map."""

VIEWS: Final[tuple[View, ...]] = get_args(View)
"""Every view; the place of one is its number in the tables."""

RAW: Final[View] = "raw"

WINDOWS_BLOCKS: Final = (144, 1_008, 2_016, 4_320)
"""Lengths of the trailing windows in blocks: about a day, a week, two weeks and a month of bitcoin blocks."""

SHORTEST_WINDOW_BLOCKS: Final = min(WINDOWS_BLOCKS)
HISTORY_BLOCKS: Final = max(WINDOWS_BLOCKS)
"""Blocks that the longest window needs."""

USUAL_WINDOW_BLOCKS: Final = 1_008
"""The window that is shown and paired where none is named: the shortest one whose effective number is steadier than the AI side's."""

SPANS_DAYS: Final = (1, 7, 30, 365)
"""Lengths of the trailing windows of time, in days of 86,400 seconds."""

YEAR_DAYS: Final = max(SPANS_DAYS)
"""The longest span: the one whose shares are weighed by work too."""

LEADERS: Final = 6
"""How many of the largest pools a row names."""

MAX_REORG_BLOCKS: Final = 2_016
"""A reorganisation undoes at most this many blocks below the highest tip there was: what lies deeper is final."""

DAILY_BUCKET_BLOCKS: Final = 512
"""Heights whose days are summed up together in `concentration_daily_log`: a new block makes this many be summed up again."""

ONE_SERIES: Final = f"view = '{RAW}' AND window_blocks = {SHORTEST_WINDOW_BLOCKS}"
"""The SQL condition for "every height, once": one insert holds all views and windows of a height, so one series stands for all."""
