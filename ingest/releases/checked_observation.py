"""An observation of what a source gave, or the reason why it can be none. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from counterpoise.contracts.releases import Observation
from counterpoise.errors import DeadLetterError


def checked_observation(where: str, **fields: Any) -> Observation:
    """The observation with these fields; DeadLetterError, beginning with `where`, where the contract refuses one."""
    try:
        return Observation(**fields)
    except ValidationError as error:
        raise DeadLetterError("bad-source-cell", f"{where}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
