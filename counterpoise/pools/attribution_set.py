"""A registry and an entity map under one id: what a number must name to be reproducible."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from counterpoise.documents import DocumentError, parse_json
from counterpoise.errors import ConfigError
from counterpoise.pools.checked_document import Section
from counterpoise.pools.entity_map import EntityMap, entity_map_document, entity_map_from_document, load_entity_map
from counterpoise.pools.entity_table import EntityTable
from counterpoise.pools.matcher import RULES_VERSION, Matcher
from counterpoise.pools.pool_registry import Registry
from counterpoise.pools.registry_file import load_registry, registry_document, registry_from_document

ATTRIBUTION_SET_FORMAT = "counterpoise-attribution-set/1"


@dataclass(frozen=True)
class AttributionSet:
    """Everything that decides which pool and which entity a block belongs to.

    Raises ConfigError where the entity map does not fit the registry. Equal contents have equal ids on every machine.
    """

    registry: Registry
    entity_map: EntityMap

    def __post_init__(self) -> None:
        self.entity_map.check_against(self.registry)

    @classmethod
    def default(cls) -> AttributionSet:
        """Return the shipped registry and the shipped entity map."""
        return cls(load_registry(), load_entity_map())

    @cached_property
    def attribution_id(self) -> str:
        """`r` and 12 hexadecimal digits of SHA-256 over the matcher's rules version and the contents of both parts."""
        content = f"{RULES_VERSION}:{self.registry.version}:{self.entity_map.version}"
        return "r" + hashlib.sha256(content.encode()).hexdigest()[:12]

    @cached_property
    def matcher(self) -> Matcher:
        """The matcher of this registry."""
        return Matcher(self.registry)

    @cached_property
    def entity_table(self) -> EntityTable:
        """The entity map as arrays."""
        return EntityTable.build(self.registry, self.entity_map)

    def entity_of(self, pool: str, seconds: int) -> str:
        """Return the slug of the entity that controls a pool at a time (unix seconds): its own outside any group."""
        table = self.entity_table
        return table.names[table.entity_of(self.registry.by_slug[pool].code, seconds)][0]

    def to_json(self) -> str:
        """Return the whole set as one JSON text; equal sets give equal texts."""
        document = {
            "format": ATTRIBUTION_SET_FORMAT,
            "rules": RULES_VERSION,
            "registry": registry_document(self.registry),
            "entities": entity_map_document(self.entity_map),
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, origin: str = "attribution set") -> AttributionSet:
        """Return the set that `to_json` wrote, checked again.

        ConfigError where the text is damaged, or was written under other matching rules than this version's: its id would then
        stand for other answers.
        """
        try:
            document = parse_json(text)
        except DocumentError as error:
            raise ConfigError(f"{origin}: not JSON: {error}") from error
        section = Section.of(origin, "document", document, ("format", "rules", "registry", "entities"))
        if section.values.get("format") != ATTRIBUTION_SET_FORMAT:
            section.fail("format", section.values.get("format"), repr(ATTRIBUTION_SET_FORMAT))
        if section.values.get("rules") != RULES_VERSION:
            section.fail("rules", section.values.get("rules"), f"{RULES_VERSION}; attribute again with this version")
        return cls(
            registry_from_document(section.values.get("registry"), f"{origin}: registry"),
            entity_map_from_document(section.values.get("entities"), f"{origin}: entities"),
        )
