"""Options that several commands have, each with one text."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from counterpoise.errors import ConfigError
from counterpoise.windows import VIEWS, WINDOWS_BLOCKS, View

HIGHEST = 2**31 - 1
"""No block is higher: messages refuse it."""

_WINDOWS = ", ".join(map(str, WINDOWS_BLOCKS))


def number(
    *names: str,
    help: str,  # noqa: A002 - as typer's
    least: float | None = None,
    most: float | None = None,
    metavar: str = "N",
) -> Any:
    """An option that takes a finite number within bounds, which its help states. ConfigError names it, its value and the bounds."""

    def check(parameter: typer.CallbackParam, value: float | None) -> float | None:
        if value is not None:
            require_finite(parameter.opts[-1], value, least, most)
        return value

    bounds = _bounds(least, most)
    stated = f"{help} {bounds[0].upper()}{bounds[1:]}." if bounds else help
    return typer.Option(*names, callback=check, metavar=metavar, help=stated)


def require_finite(option: str, value: float, least: float | None = None, most: float | None = None) -> None:
    """ConfigError for a value of an option that is no finite number, or is out of its bounds."""
    finite = isinstance(value, int) or math.isfinite(value)  # an int may be too large for a float
    if not finite or (least is not None and value < least) or (most is not None and value > most):
        kind = "whole" if isinstance(value, int) else "finite"
        bounds = _bounds(least, most)
        of = "" if not bounds else f" {bounds}" if bounds.startswith("from") else f" of {bounds}"
        raise ConfigError(f"{option} is {value}, expected a {kind} number{of}")


def _bounds(least: float | None, most: float | None) -> str:
    """In words.

    >>> _bounds(1, None), _bounds(None, 9), _bounds(0.5, 3600), _bounds(None, None)
    ('at least 1', 'at most 9', 'from 0.5 to 3600', '')
    """
    if least is not None and most is not None:
        return f"from {least} to {most}"
    return f"at least {least}" if least is not None else f"at most {most}" if most is not None else ""


WindowOption = Annotated[int, typer.Option("--window", help=f"Trailing window in blocks: one of {_WINDOWS}.")]
HeightOption = Annotated[
    int | None, number("--height", least=0, most=HIGHEST, help="Last height of the window; the default is the newest.")
]
ChainOption = Annotated[str, typer.Option("--chain", help="Chain.")]
ViewOption = Annotated[str, typer.Option("--view", help="raw (pools) or entity (owners and proxies).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
JobJsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object; all other output goes to standard error.")
]


def checked_view(text: str) -> View:
    """The view that `--view` names. ConfigError for any other text."""
    for view in VIEWS:
        if text == view:
            return view
    raise ConfigError(f"--view {text!r}: expected one of {', '.join(VIEWS)}")
