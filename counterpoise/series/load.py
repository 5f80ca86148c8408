"""Reading the catalogue: one YAML file a series, every field checked."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from counterpoise.documents import DocumentError, parse_yaml, read_document
from counterpoise.errors import ConfigError
from counterpoise.series.catalogue import SERIES_FORMAT, Catalogue, Series


@cache
def load_catalogue() -> Catalogue:
    """Return the shipped catalogue. ConfigError names the file, the field and what is wrong with it."""
    with resources.as_file(resources.files("counterpoise.series") / "data") as folder:
        return load_catalogue_folder(folder)


def load_catalogue_folder(folder: Path) -> Catalogue:
    """Return the catalogue of a folder of YAML files; ConfigError as `load_catalogue`."""
    try:
        files = sorted(folder.glob("*.yaml"))
        return _catalogue([(str(file), read_document(file)) for file in files])
    except (OSError, DocumentError) as error:
        raise ConfigError(f"{folder}: the series catalogue cannot be read: {error}") from error


def parse_series(text: str, origin: str) -> Series:
    """Return the series that a YAML text describes; `origin` names it in messages.

    A list may name in `based_on` another list of the file, and in `without` the entries to leave out (each with a reason).
    """
    try:
        document = parse_yaml(text)
    except DocumentError as error:
        raise ConfigError(f"{origin}: not a YAML file{error.place}: {error}") from error
    if not isinstance(document, dict) or document.pop("format", None) != SERIES_FORMAT:
        raise ConfigError(f"{origin}: field format: expected {SERIES_FORMAT!r}")
    lists = document.get("lists")
    if isinstance(lists, list):
        document["lists"] = [_derived(origin, one, lists) for one in lists]
    try:
        return Series.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "document"
        raise ConfigError(f"{origin}: field {place}: {first['msg']}") from None


def _derived(origin: str, one: Any, lists: list[Any]) -> Any:
    if not isinstance(one, dict) or "based_on" not in one:
        return one
    document = {name: value for name, value in one.items() if name not in ("based_on", "without")}
    base = next((other for other in lists if isinstance(other, dict) and other.get("id") == one["based_on"]), None)
    without = one.get("without")
    if base is None or "based_on" in base or not isinstance(without, list):
        raise ConfigError(
            f"{origin}: list {one.get('id')!r}: based_on must name a list of this file that is not derived, and without "
            "must list names and reasons"
        )
    left_out = {out.get("name") for out in without if isinstance(out, dict)}
    unknown = left_out - {entry.get("name") for entry in base.get("entries", ()) if isinstance(entry, dict)}
    if unknown:
        raise ConfigError(
            f"{origin}: list {one.get('id')!r}: without names {sorted(map(str, unknown))}, not in {one['based_on']!r}"
        )
    document["entries"] = [entry for entry in base["entries"] if entry.get("name") not in left_out]
    document["excluded"] = [*base.get("excluded", ()), *without]
    return document


def _catalogue(texts: Iterable[tuple[str, str]]) -> Catalogue:
    found: dict[str, Series] = {}
    for origin, text in texts:
        series = parse_series(text, origin)
        if series.series in found:
            raise ConfigError(f"{origin}: field series: {series.series!r} is in the catalogue already")
        found[series.series] = series
    if not found:
        raise ConfigError("the series catalogue is empty: expected one .yaml file a series")
    return Catalogue(dict(sorted(found.items())))
