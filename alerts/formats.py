"""How values and times are said, everywhere alike. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def format_value(value: float, unit: str) -> str:
    """`75.3 %` of a share, `0.962` of a probability."""
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.3f}"


def format_line(value: float, unit: str) -> str:
    """A line as its rule's file has it: `75 %`, `0.95`."""
    return f"{100 * value:g} %" if unit == "share" else f"{value:g}"


def format_span(seconds: float) -> str:
    """A length of time in its two largest units: `4 d 16 h`, `1 h 5 min`, `35 min`; below zero it is none."""
    minutes = int(max(0, seconds)) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def utc(seconds: float) -> str:
    """`2022-10-29 12:04`, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def utc_day(seconds: float) -> str:
    """`2022-10-29`, in UTC."""
    return utc(seconds)[:10]
