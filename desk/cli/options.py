"""Options that several commands have, each with one text."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from counterpoise.errors import ConfigError
from counterpoise.windows import VIEWS, WINDOWS_BLOCKS, View

_WINDOWS = ", ".join(map(str, WINDOWS_BLOCKS))

WindowOption = Annotated[int, typer.Option("--window", help=f"Trailing window in blocks: one of {_WINDOWS}.")]
HeightOption = Annotated[
    int | None, typer.Option("--height", min=0, help="Last height of the window; the default is the newest.")
]
ChainOption = Annotated[str, typer.Option("--chain", help="Chain.")]
ViewOption = Annotated[str, typer.Option("--view", help="raw (pools) or entity (owners and proxies).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
JobJsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object; all other output goes to standard error.")
]


def finite(parameter: typer.CallbackParam, value: float | None) -> float | None:
    """The callback of every option that takes a number: `nan` and `inf` are none. ConfigError names the option."""
    if value is not None:
        require_finite(parameter.opts[-1], value)
    return value


def require_finite(option: str, value: float) -> None:
    """ConfigError for a value of an option that is no finite number."""
    if not math.isfinite(value):
        raise ConfigError(f"{option} is {value:g}, expected a finite number")


def checked_view(text: str) -> View:
    """The view that `--view` names. ConfigError for any other text."""
    for view in VIEWS:
        if text == view:
            return view
    raise ConfigError(f"--view {text!r}: expected one of {', '.join(VIEWS)}")
