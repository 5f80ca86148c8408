"""The schemas of topics: what we write holds to them, what they accept is read, and the page's own example is such a message."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import decode, encode
from counterpoise.contracts.topic_schemas import CARRIED, headers_of, schema_of
from counterpoise.contracts.topics import BLOCKS, TOPICS
from tests.integration.streams.blocks import block
from tests.unit.kafka.schema_values import values

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "topics.md").read_text(encoding="utf-8")
DATASET = "mine"


def validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # a second, in each worker that only collects

    return Draft202012Validator(schema_of(CARRIED[name].topic))


def test_every_topic_has_a_schema_and_its_headers() -> None:
    assert list(CARRIED) == [topic.name for topic in TOPICS]
    for name, carried in CARRIED.items():
        validator(name).check_schema(schema_of(carried.topic))
        assert dict(headers_of(carried.topic))["schema"].decode() == name


@pytest.mark.parametrize("name", CARRIED)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_a_schema_accepts_is_read(name: str, data: st.DataObject) -> None:
    carried, schema = CARRIED[name], schema_of(CARRIED[name].topic)
    document = data.draw(values(schema, schema))
    assert validator(name).is_valid(document)
    if carried.kind is None:
        carried.model.model_validate_json(json.dumps(document))
        return
    document["dataset"] = DATASET
    found = decode(json.dumps(document).encode(), carried.model, kind=carried.kind, dataset=DATASET)
    wrong = [(bad.reason, bad.detail) for bad in found.bad if "Value error" not in bad.detail]
    assert wrong == [] and len(found.events) + len(found.bad) == len(document["events"])


@pytest.mark.parametrize("spoil", ["hash", "height", "unknown", "v", "kind", "events"])
def test_what_a_reader_refuses_a_schema_refuses(spoil: str) -> None:
    message = json.loads(encode([block(1, "00" * 32)], kind=BLOCK_KIND, dataset=DATASET, producer="p", sent_at_ms=1))
    assert next(iter(message)) == "v"
    schema = validator(BLOCKS.name)
    assert schema.is_valid(message)
    event = message["events"][0]
    wrong: dict[str, Any] = {
        "hash": lambda: event.update(hash="00"),
        "height": lambda: event.update(height="1"),
        "unknown": lambda: event.update(colour="red"),
        "v": lambda: message.update(v=2),
        "kind": lambda: message.update(kind="score"),
        "events": lambda: message.update(events=[]),
    }
    wrong[spoil]()
    assert not schema.is_valid(message)
    assert decode(json.dumps(message).encode(), BlockEvent, kind=BLOCK_KIND, dataset=DATASET).bad


def test_a_message_of_an_earlier_version_is_read() -> None:
    message = json.loads(encode([block(1, "00" * 32)], kind=BLOCK_KIND, dataset=DATASET, producer="p", sent_at_ms=1))
    del message["v"]
    found = decode(json.dumps(message).encode(), BlockEvent, kind=BLOCK_KIND, dataset=DATASET)
    assert (len(found.events), found.bad) == (1, ())


def test_the_example_of_the_page_is_a_message() -> None:
    example = re.findall(r"```python\n(import json\nimport time\n.*?)```", PAGE, re.DOTALL)[0]
    scope: dict[str, Any] = {}
    exec(example, scope)  # noqa: S102 - a page of ours
    value = scope["value"]
    validator(BLOCKS.name).validate(json.loads(value))
    found = decode(value, BlockEvent, kind=BLOCK_KIND, dataset="counterpoise")
    assert len(found.events) == 1 and found.bad == ()
