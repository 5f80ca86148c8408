"""The console of all commands: rich's, with control and format characters of every text visible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from counterpoise.visible import visible

_KEPT = "\n\t"


class Console(rich.console.Console):
    """As rich's. Rich leaves escape sequences in texts as they are, and a pool's name could then move the cursor.

    `:name:` stays as it is, because it may stand in data, and so rich does not import its table of emoji.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments, with every text visible: first in whole texts, so that they wrap, and then in whatever is left."""
        if isinstance(renderable, Text) and visible(renderable.plain, _KEPT) != renderable.plain:
            renderable = renderable.copy()
            renderable.plain = visible(renderable.plain, _KEPT)
        for segment in super().render(renderable, options):
            if segment.control or visible(segment.text, _KEPT) == segment.text:
                yield segment
            else:
                yield Segment(visible(segment.text, _KEPT), segment.style)


def cell(value: str, style: str = "") -> Text:
    """A cell of a table with text from outside: no markup, and nothing that does not show."""
    return Text(visible(value), style)


def plain_table(*heads: str) -> Table:
    """A table without lines whose cells wrap."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
