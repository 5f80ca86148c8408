"""What each topic carries, for programs that are not ours: its contract, its JSON Schema and the headers of its messages.

`make generate` writes the schemas to docs/schemas. What a schema accepts, a reader of ours accepts too, unless its values do not fit
each other: those become dead letters. A reader also takes a message without `v`, as earlier versions wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from counterpoise.contracts.base import Contract
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent, BlockRequest
from counterpoise.contracts.dead_letters import DeadLetter
from counterpoise.contracts.envelope import MAX_EVENTS, Envelope
from counterpoise.contracts.pairs import PAIR_KIND, PairEvent
from counterpoise.contracts.releases import RELEASE_KIND, ReleaseEvent
from counterpoise.contracts.scores import SCORE_KIND, ScoreEvent
from counterpoise.contracts.topics import BLOCK_REQUESTS, BLOCKS, DAY_MS, DEAD_LETTERS, EDGE_AI, PAIRS, SCORES, Topic

CONTENT_TYPE: Final = "application/json"

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """`model` of one event. `kind`: of its envelopes; None where a message is one event without an envelope."""

    topic: Topic
    model: type[Contract]
    kind: str | None


CARRIED: Final[Mapping[str, Carried]] = {
    one.topic.name: one
    for one in (
        Carried(BLOCKS, BlockEvent, BLOCK_KIND),
        Carried(BLOCK_REQUESTS, BlockRequest, None),
        Carried(EDGE_AI, ReleaseEvent, RELEASE_KIND),
        Carried(SCORES, ScoreEvent, SCORE_KIND),
        Carried(PAIRS, PairEvent, PAIR_KIND),
        Carried(DEAD_LETTERS, DeadLetter, None),
    )
}
"""By the name of the topic, without the dataset."""


@cache
def headers_of(topic: Topic) -> Headers:
    """The headers of every message of a topic: what its value is, without a look into it.

    >>> headers_of(BLOCKS)
    (('content-type', b'application/json'), ('schema', b'blocks.v1'), ('schema-version', b'1'))
    """
    version = topic.name.rpartition(".v")[2]
    return (
        ("content-type", CONTENT_TYPE.encode()),
        ("schema", topic.name.encode()),
        ("schema-version", version.encode()),
    )


def schema_of(topic: Topic) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the values of a topic."""
    carried = CARRIED[topic.name]
    whole = carried.model if carried.kind is None else Envelope[carried.model]  # type: ignore[name-defined]
    schema: dict[str, Any] = TypeAdapter(whole).json_schema(mode="validation")
    if "v" in schema["properties"]:
        schema["required"] = ["v", *(name for name in schema["required"] if name != "v")]
    if carried.kind is not None:
        schema["properties"]["kind"] = {"const": carried.kind, "type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": topic.name,
        "description": f"A message of the topic DATASET.{topic.name}, keyed by {topic.key}.",
    }


def schema_text(topic: Topic) -> str:
    """The schema as it is written to docs/schemas."""
    return json.dumps(schema_of(topic), indent=2, ensure_ascii=False) + "\n"


def topics_table() -> str:
    """One row per topic, as Markdown."""
    rows = ["| topic | a message is | key | kept for | schema |", "|---|---|---|---|---|"]
    for one in CARRIED.values():
        topic, name = one.topic, one.model.__name__
        message = name if one.kind is None else f"an envelope of 1 to {MAX_EVENTS:,} {name}s, kind `{one.kind}`"
        file = f"{topic.name}.schema.json"
        rows.append(
            f"| `{topic.name}` | {message} | {topic.key} | {topic.retention_ms // DAY_MS} d | [{file}](schemas/{file}) |"
        )
    return "\n".join(rows)
