"""The API against its own OpenAPI document on the real engine: requests, valid and broken, and every answer checked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from desk.web.api.api_endpoints import ENDPOINTS
from tests.long import long
from tests.waiting import PATIENCE_SECONDS

EXAMPLES = 16


@pytest.fixture(scope="module")
def schema(address: str) -> Any:
    """A cursor that is well formed and of no earlier answer, and hours of many years, are a 422 that no schema can express."""
    config = SchemathesisConfig.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": ["200", "304", "406", "422"]}}}
    )
    return schemathesis.openapi.from_url(f"{address}/openapi.json", config=config, timeout=PATIENCE_SECONDS)


PATHS = [endpoint.path for endpoint in ENDPOINTS]
CASES = [
    *((path, mode) for path in PATHS for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)),
    ("catalog", GenerationMode.POSITIVE),  # it has no parameter that a request could break
]


@pytest.mark.parametrize("examples", [EXAMPLES, *long(40)])  # long: more requests of the same kinds
@pytest.mark.parametrize(("path", "mode"), CASES, ids=[f"{path}-{mode.value}" for path, mode in CASES])
def test_every_answer_is_as_described(schema: Any, path: str, mode: GenerationMode, examples: int) -> None:
    operation = schema[f"/{path}"]["GET"]
    seen: Counter[int] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and case.query:
            case.query.pop("cursor", None)
        response = case.call(timeout=PATIENCE_SECONDS)
        seen[response.status_code] += 1
        case.validate_response(response)

    check()
    assert not any(status >= 500 for status in seen), seen
    if path != "catalog":
        assert mode is GenerationMode.NEGATIVE or seen[200] >= examples // 4, seen
        assert mode is GenerationMode.POSITIVE or seen[422] >= examples // 4, seen
