"""docs/api.md: its examples run, and it names every endpoint and parameter."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from desk.web.api.api_endpoints import ENDPOINTS
from desk.web.api.embed import PARAMETERS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = sorted(set(re.findall(r"http://127\.0\.0\.1:8090/api/v1(/[^'\s]+)", PAGE)) - {"/events"})


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(api: httpx.Client, example: str) -> None:
    answer = api.get(example)
    assert answer.status_code == 200, answer.text


def test_every_endpoint_and_parameter_is_named() -> None:
    assert len(EXAMPLES) >= 6
    words = set(re.findall(r"`(\w+)`", PAGE))
    for endpoint in ENDPOINTS:
        assert endpoint.path in words
        assert {parameter.name for parameter in endpoint.parameters} <= words
    assert {parameter.name for parameter in PARAMETERS} <= words
