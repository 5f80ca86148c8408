"""The style sheet of the page: the report's colours and drawings, and the layout of the desk. Pure."""

from __future__ import annotations

from importlib.resources import files

from desk.report.style_sheet import page_style


def style_sheet() -> str:
    """All of it."""
    return page_style() + files("desk.web").joinpath("static", "desk.css").read_text(encoding="utf-8")
