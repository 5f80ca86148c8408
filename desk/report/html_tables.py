"""Tables as HTML, every cell escaped. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from counterpoise.plots.marks import text_of

NUMERIC: Final = "#"
"""Before the name of a column whose cells stand right."""


class Attention(str):
    """A cell that needs attention."""

    __slots__ = ()


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first cell of a row heads it. ValueError for a row of another length than `heads`.

    >>> table("c", ["pool", "#share"], [["a&b", "1"]]).partition("<tbody>")[2]
    '<tr><th scope="row">a&amp;b</th><td class="n">1</td></tr></tbody></table>'
    """
    numeric = [head.startswith(NUMERIC) for head in heads]
    top = "".join(
        f'<th scope="col"{_class(right)}>{text_of(head.removeprefix(NUMERIC))}</th>'
        for head, right in zip(heads, numeric, strict=True)
    )
    body = "".join(f"<tr>{_row(cells, numeric)}</tr>" for cells in rows)
    return f'<table aria-label="{text_of(caption)}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _row(cells: Sequence[str], numeric: Sequence[bool]) -> str:
    parts: list[str] = []
    for at, (cell, right) in enumerate(zip(cells, numeric, strict=True)):
        tag, scope = ("th", ' scope="row"') if at == 0 else ("td", "")
        words = text_of(cell)
        if isinstance(cell, Attention):
            words = f'<span class="attention">{words}</span>'
        parts.append(f"<{tag}{scope}{_class(right)}>{words}</{tag}>")
    return "".join(parts)


def _class(right: bool) -> str:
    return ' class="n"' if right else ""
