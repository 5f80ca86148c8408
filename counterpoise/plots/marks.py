"""Marks of a plot as SVG text: lines, bands, bars, axes, labels. Values and scales in, text out; every text is escaped. Pure.

Colours are not set here but by class (`desk.report.style_sheet`), so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from counterpoise.plots.scale import Scale, spread
from counterpoise.visible import visible

Point = tuple[float, float]
Number = float | int

LABEL_GAP: Final = 15.0
"""Between the base lines of two labels that stand over each other, in units of the drawing."""


def text_of(value: object) -> str:
    """Any value as the text of an element or attribute: escaped, with control and format characters visible."""
    return escape(visible(str(value), keep="\n\t"), quote=True)


def number(value: Number) -> str:
    """A coordinate with a tenth of a unit.

    >>> number(12.04), number(3), number(-0.04)
    ('12', '3', '0')
    """
    rounded = round(value, 1) + 0.0  # minus zero becomes zero
    return f"{rounded:.1f}".removesuffix(".0")


def element(tag: str, content: str = "", /, **attributes: object) -> str:
    """`<tag …>content</tag>`; `content` is markup. `class_` is class, `stroke_width` is stroke-width; None leaves an attribute out.

    >>> element("text", "5", x=1.25, class_="tick")
    '<text x="1.2" class="tick">5</text>'
    """
    parts = [
        f' {name.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, float) else text_of(value)}"'
        for name, value in attributes.items()
        if value is not None
    ]
    return f"<{tag}{''.join(parts)}>{content}</{tag}>" if content else f"<{tag}{''.join(parts)}/>"


def text(words: object, x: float, y: float, *, class_: str, anchor: str | None = None) -> str:
    """A line of text on its base line; `anchor` is middle or end."""
    return element("text", text_of(words), x=x, y=y, class_=class_, text_anchor=anchor)


def path(points: Iterable[Point | None]) -> str:
    """The `d` of a line through points; None breaks it.

    >>> path([(0, 0), (1, 2.5), None, (3, 1)])
    'M0 0L1 2.5M3 1'
    """
    parts: list[str] = []
    pen = "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        parts.append(f"{pen}{number(point[0])} {number(point[1])}")
        pen = "L"
    return "".join(parts)


def line(points: Iterable[Point | None], *, class_: str) -> str:
    """A line; nothing where no point is."""
    d = path(points)
    return element("path", d=d, class_=class_) if d else ""


def band(xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], *, class_: str) -> str:
    """The area between two lines over the same places; nothing below two places."""
    if len(xs) < 2:
        return ""
    upper = list(zip(xs, highs, strict=True))
    lower = list(zip(xs, lows, strict=True))
    return element("path", d=path([*upper, *reversed(lower)]) + "Z", class_=class_)


def rectangle(x: float, y: float, width: float, height: float, *, class_: str, rx: float | None = None) -> str:
    """A rectangle by its upper left corner."""
    return element("rect", x=x, y=y, width=width, height=height, rx=rx, class_=class_)


def segment(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> str:
    """A straight stroke."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, radius: float, *, class_: str) -> str:
    """A filled circle."""
    return element("circle", cx=x, cy=y, r=radius, class_=class_)


@dataclass(frozen=True, slots=True)
class Frame:
    """The room of a plot: the whole drawing, and inside it the part where the data are."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float

    @property
    def x0(self) -> float:
        return self.left

    @property
    def x1(self) -> float:
        return self.width - self.right

    @property
    def y0(self) -> float:
        return self.height - self.bottom

    @property
    def y1(self) -> float:
        return self.top

    def across(self, low: float, high: float) -> Scale:
        """From values to x."""
        return Scale(low, high, self.x0, self.x1)

    def upwards(self, low: float, high: float) -> Scale:
        """From values to y, the larger the higher."""
        return Scale(low, high, self.y0, self.y1)


def y_axis(frame: Frame, scale: Scale, labels: Iterable[tuple[float, str]]) -> str:
    """Lines across at each labelled value, the label left of them."""
    parts: list[str] = []
    for value, label in labels:
        y = scale(value)
        parts.append(segment(frame.x0, y, frame.x1, y, class_="grid"))
        parts.append(text(label, frame.x0 - 8, y + 4, class_="tick", anchor="end"))
    return "".join(parts)


def x_axis(frame: Frame, labels: Iterable[tuple[float, str]], *, under: float = 0.0) -> str:
    """Marks at each place of a label under the plot, `under` units further down; labels at the ends stay inside the drawing."""
    base = frame.y0 + under
    parts = [segment(frame.x0, base, frame.x1, base, class_="axis")]
    for x, label in labels:
        half = 3.4 * len(label)
        at = min(max(x, half), frame.width - half)
        parts.append(segment(x, base, x, base + 4, class_="axis"))
        parts.append(text(label, at, base + 18, class_="tick", anchor="middle"))
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class EndLabel:
    """Label of a line at its end: the height of the end, the words, and the class of the words."""

    y: float
    words: str
    class_: str


def end_labels(frame: Frame, labels: Sequence[EndLabel]) -> str:
    """The labels right of the plot, moved apart where they would touch."""
    places = spread([label.y for label in labels], LABEL_GAP, frame.y1 + 4, frame.y0 - 2)
    return "".join(
        text(label.words, frame.x1 + 10, y + 4, class_=label.class_) for label, y in zip(labels, places, strict=True)
    )


def runs(values: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Stretches of equal neighbours as (first, last, value).

    >>> list(runs(["a", "a", "b"]))
    [(0, 1, 'a'), (2, 2, 'b')]
    """
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[start]:
            yield start, index - 1, values[start]
            start = index


def clipped(words: str, most: int) -> str:
    """At most so many characters; what is cut off ends in an ellipsis.

    >>> clipped("foundry-usa", 8)
    'foundry…'
    """
    return words if len(words) <= most else words[: most - 1].rstrip("-_ ") + "…"


def drawing(
    body: str, *, width: float, height: float, name: str, title: str, description: str, class_: str | None = None
) -> str:
    """The SVG element, sized by its page, with title and description that a screen reader speaks; `name` makes their ids unique."""
    head = element("title", text_of(title), id=f"{name}-title") + element(
        "desc", text_of(description), id=f"{name}-desc"
    )
    return element(
        "svg",
        head + body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        class_=class_,
    )
