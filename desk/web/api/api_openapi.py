"""The API's own description, published at /api/v1/openapi.json. It follows from the endpoints."""

from __future__ import annotations

from typing import Any, Final

from desk.web.api.answer_formats import MEDIA_TYPES
from desk.web.api.api_endpoints import Endpoint
from desk.web.api.api_errors import RefusalBody

_TAG: Final = {"ETag": {"description": "Tag of exactly this body", "schema": {"type": "string"}}}
_LINK: Final = {"Link": {"description": 'The next page, as rel="next"', "schema": {"type": "string"}}}
_RETRY: Final = {"Retry-After": {"description": "Whole seconds to wait", "schema": {"type": "integer"}}}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETag of an earlier answer: 304 where it is still the same.",
    "schema": {"type": "string"},
}

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    422: {"model": RefusalBody, "description": "A parameter is wrong; the body names it"},
    503: {
        "model": RefusalBody,
        "description": "ClickHouse does not answer, or all connections are busy",
        "headers": _RETRY,
    },
}

_TABLE_SCHEMA: Final = {
    "type": "object",
    "required": ["data", "next", "query"],
    "additionalProperties": False,
    "properties": {
        "data": {"type": "array", "items": {"type": "object"}},
        "next": {"type": ["string", "null"], "description": "Cursor of the next page; null at the end"},
        "query": {
            "type": "object",
            "description": "The SQL that was run, with its parameters",
            "required": ["sql", "parameters"],
            "properties": {"sql": {"type": "string"}, "parameters": {"type": "object"}},
        },
    },
}


def table_answers() -> dict[int | str, dict[str, Any]]:
    """Every answer of an endpoint of tables."""
    content: dict[str, Any] = {media: {"schema": {}} for media in MEDIA_TYPES.values()}
    content[MEDIA_TYPES["json"]] = {"schema": _TABLE_SCHEMA}
    return {
        200: {"description": "A page", "content": content, "headers": {**_TAG, **_LINK}},
        304: {"description": "The page is the one that If-None-Match names", "headers": _TAG},
        406: {"model": RefusalBody, "description": "No format of the Accept header is available"},
        **REFUSALS,
    }


def operation_of(endpoint: Endpoint) -> dict[str, Any]:
    """What FastAPI cannot derive: the parameters."""
    return {"parameters": [*(parameter.openapi() for parameter in endpoint.parameters), _IF_NONE_MATCH]}


def catalogue_answers() -> dict[int | str, dict[str, Any]]:
    """Every answer of the catalogue."""
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        200: {"description": "The catalogue", "content": content, "headers": _TAG},
        304: {"description": "The catalogue is the one that If-None-Match names", "headers": _TAG},
        422: REFUSALS[422],
    }


CATALOGUE_OPERATION: Final = {"parameters": [_IF_NONE_MATCH]}
