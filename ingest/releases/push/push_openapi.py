"""The endpoint's own description, as it is published at /openapi.json."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from counterpoise.series.catalogue import Catalogue
from ingest.releases.push.document import Refused, ReleaseDocument
from ingest.releases.release_head import FIRST_PUBLICATION_MS

_RETRY_AFTER = {"Retry-After": {"description": "Whole seconds to wait", "schema": {"type": "integer", "minimum": 1}}}

ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refused, "description": "The body is not JSON"},
    401: {
        "model": Refused,
        "description": "No token, or not the right one",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    408: {"model": Refused, "description": "The body came too slowly"},
    413: {"model": Refused, "description": "The body is too large"},
    415: {"model": Refused, "description": "The body is not declared as plain JSON"},
    422: {"model": Refused, "description": "The document is not a valid release; `fields` names the errors"},
    429: {"model": Refused, "description": "Too many requests", "headers": _RETRY_AFTER},
    503: {"model": Refused, "description": "No room for more now; nothing was accepted", "headers": _RETRY_AFTER},
}

SECURITY: dict[str, Any] = {"security": [{"token": []}]}


def document_of(app: FastAPI, body_limit_bytes: int, catalogue: Catalogue) -> dict[str, Any]:
    """Build it once and keep it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            routes=app.routes,
            description=(
                "Send complete releases. The same content again is the same release, so a request may be repeated at any time. "
                f"A body has at most {body_limit_bytes} bytes."
            ),
        )
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schema = ReleaseDocument.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
        schemas.update(_with_intervals(schema.pop("$defs", {})))
        schema["properties"]["series"]["enum"] = list(catalogue.series)
        for name in ("period_start", "period_end"):
            schema["properties"][name]["format"] = "date"
        schema["properties"]["published_at_ms"]["minimum"] = FIRST_PUBLICATION_MS
        schemas["ReleaseDocument"] = schema
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path in document["paths"].values():
            for operation in path.values():
                operation["requestBody"] = {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReleaseDocument"}}},
                }
        app.openapi_schema = document
    return app.openapi_schema


def _with_intervals(schemas: dict[str, Any]) -> dict[str, Any]:
    """Say in the schema what the contract says in code: the two ends of an interval come together, with both null or neither."""
    observation = schemas["Observation"]
    number = {
        "required": ["value_p5", "value_p95"],
        "properties": {n: {"type": "number"} for n in ("value_p5", "value_p95")},
    }
    nothing = {"properties": {n: {"type": "null"} for n in ("value_p5", "value_p95")}}
    observation["anyOf"] = [number, nothing]
    return schemas
