"""Mappings from YAML files: the shipped ones by name, your own by path. A mistake is one line that names file, field and reason."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from counterpoise.documents import DocumentError, parse_yaml, read_document
from counterpoise.errors import ConfigError
from counterpoise.series.catalogue import Catalogue
from ingest.releases.mapping.mapping import MAPPING_FORMAT, Mapping, constant_day_problem


def shipped_names() -> tuple[str, ...]:
    """The mappings that come with the package."""
    folder = resources.files("ingest.releases.mapping") / "shipped"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def load_mapping(name_or_path: str, catalogue: Catalogue) -> Mapping:
    """A shipped mapping by its name, or the file at a path. ConfigError in one line."""
    if name_or_path in shipped_names():
        text = (resources.files("ingest.releases.mapping") / "shipped" / f"{name_or_path}.yaml").read_text(
            encoding="utf-8"
        )
        return parse_mapping(text, f"{name_or_path}.yaml", catalogue)
    path = Path(name_or_path)
    try:
        text = read_document(path)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no mapping {name_or_path!r}: expected a path, or one of {', '.join(shipped_names())}"
        ) from None
    except (OSError, DocumentError) as error:
        raise ConfigError(f"{path}: the mapping cannot be read: {' '.join(str(error).split())}") from None
    return parse_mapping(text, str(path), catalogue)


def parse_mapping(text: str, origin: str, catalogue: Catalogue) -> Mapping:
    """The mapping that a YAML text describes; `origin` names it in messages."""
    try:
        document = parse_yaml(text)
    except DocumentError as error:
        raise ConfigError(f"{origin}: not a YAML file{error.place}: {error}") from None
    if not isinstance(document, dict) or document.get("format") != MAPPING_FORMAT:
        raise ConfigError(f"{origin}: field format: expected {MAPPING_FORMAT!r}")
    try:
        mapping = Mapping.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{origin}: field {place}: {message}" if place else f"{origin}: {message}") from None
    problem = constant_day_problem(mapping)
    if problem is not None:
        raise ConfigError(f"{origin}: field {problem}")
    if mapping.series not in catalogue:
        raise ConfigError(
            f"{origin}: field series: {mapping.series!r} is not in the catalogue; it has {', '.join(catalogue.series)}"
        )
    return mapping
