"""The push endpoint against its own OpenAPI document: schemathesis makes requests, valid and broken, and checks every answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from counterpoise.series.load import load_catalogue
from tests.integration.ingest_releases.pushing import Pushing, pushing

MAX_EXAMPLES = 80


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushing]:
    with pushing(tmp_path_factory.mktemp("schemathesis")) as running:
        yield running


@pytest.fixture(scope="module")
def operation(endpoint: Pushing) -> Any:
    """What a JSON schema cannot say (a real day, ends in order) makes a 422 of a document that fits it."""
    config = SchemathesisConfig.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": ["202", "422"]}}}
    )
    schema = schemathesis.openapi.from_url(f"{endpoint.url}/openapi.json", config=config)
    return schema["/v1/releases"]["POST"]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "broken"])
def test_every_answer_is_as_described(operation: Any, endpoint: Pushing, mode: GenerationMode) -> None:
    seen: Counter[int] = Counter()

    @settings(
        max_examples=MAX_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:  # the schema does not say which unit belongs to which series
            series = load_catalogue()[case.body["series"]]
            case.body |= {"layer": series.layer, "unit": series.unit, "kind": series.kind}
        response = case.call(headers={"Authorization": endpoint.headers["Authorization"]})
        seen[response.status_code] += 1
        case.validate_response(response)

    check()
    assert sum(seen.values()) >= MAX_EXAMPLES // 2
    assert mode is GenerationMode.NEGATIVE or seen[202] >= 5, seen
    assert not any(status >= 500 for status in seen), seen


def test_what_it_accepted_is_all_readable(endpoint: Pushing) -> None:
    """Runs after the cases: each stored entry reads back as the contract, and the server still answers."""
    for key in endpoint.journal.pending():
        assert endpoint.journal.read(key) is not None
