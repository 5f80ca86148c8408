"""What a stored forecast is of: when one is made, over how many blocks, and its line."""

from __future__ import annotations

from typing import Final

FORECAST_EVERY: Final = 144
"""A forecast stands at every height divisible by it."""
FORECAST_BLOCKS: Final = 1_008
"""Blocks of the window that picks the leaders, and blocks that are forecast."""
FORECAST_LINE: Final = 0.75
"""The share whose crossing is forecast."""
