"""Names of a rules file: the one that was probably meant, and the mapping behind one. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_MAX_HINT_LENGTH: Final = 64
"""Longer names have no near one: comparing takes time that grows with the square of the length."""


def nearest(name: object, names: Iterable[str]) -> str:
    """The name that was probably meant; empty where none is near."""
    if not isinstance(name, str) or len(name) > _MAX_HINT_LENGTH:
        return ""
    known = list(names)
    by_lower = {one.lower().replace("-", "_"): one for one in known}
    same = by_lower.get(name.lower().replace("-", "_"))
    return same or next(iter(difflib.get_close_matches(name, known, n=1)), "")


def nested_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a mapping that a field holds, or a list of such mappings; None where it holds none."""
    return _model_in(field.annotation)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one)) is not None), None)
