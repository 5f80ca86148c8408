"""The API as a separate application, mounted at /api/v1: tables, the catalogue, the event stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from counterpoise.errors import ConfigError
from desk.web.api.answer_formats import MEDIA_TYPES, body_of, chosen_format, etag, file_name, is_known
from desk.web.api.api_catalogue import catalogue
from desk.web.api.api_endpoints import ENDPOINTS, Endpoint
from desk.web.api.api_errors import ApiError, RefusalBody
from desk.web.api.api_openapi import CATALOGUE_OPERATION, REFUSALS, catalogue_answers, operation_of, table_answers
from desk.web.api.event_feed import EventFeed
from desk.web.api.parameters import read_parameters
from desk.web.api.reader import Reader

PREFIX: Final = "/api/v1"
_KEPT: Final = {"Cache-Control": "private, no-cache", "Vary": "Accept, Cookie, Authorization"}


def build_api(reader: Reader, *, dataset: str, dataset_kind: str, feed: EventFeed | None = None) -> FastAPI:
    """The application. It only reads, through `reader`; `feed` is the event stream's, made from `reader` if not given."""
    api = FastAPI(
        title="Counterpoise",
        version="1",
        docs_url=None,
        redoc_url=None,
        description="Read-only API of the dataset. Times are UTC; a share is between 0 and 1.",
    )
    api.add_exception_handler(ApiError, _refused)
    api.add_exception_handler(HTTPException, _http_error)
    for endpoint in ENDPOINTS:
        api.add_api_route(
            f"/{endpoint.path}",
            _table_route(reader, endpoint),
            methods=["GET"],
            response_class=Response,
            responses=table_answers(),
            summary=endpoint.title,
            description=endpoint.description,
            operation_id=endpoint.path,
            openapi_extra=operation_of(endpoint),
        )
    document = json.dumps(catalogue(dataset, dataset_kind), ensure_ascii=False).encode() + b"\n"

    def get_catalogue(request: Request) -> Response:
        """Metrics, windows, views, chains, series, sources and endpoints of this version."""
        read_parameters((), request.query_params.multi_items())
        return _answer(request, document, "application/json")

    api.add_api_route(
        "/catalog",
        get_catalogue,
        methods=["GET"],
        response_class=Response,
        responses=catalogue_answers(),
        summary="Metrics, windows, views, chains, series, sources and endpoints",
        operation_id="catalog",
        openapi_extra=CATALOGUE_OPERATION,
    )
    _add_events(api, feed or EventFeed(reader))
    return api


def _add_events(api: FastAPI, feed: EventFeed) -> None:
    async def events(request: Request) -> StreamingResponse:
        """Server-sent events: `tip` for a new tip of a chain, `alert` for a new step of an alert. The tips come first."""
        read_parameters((), request.query_params.multi_items())
        feed.admit()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(feed.listen(), media_type="text/event-stream", headers=headers)

    api.add_api_route(
        "/events",
        events,
        methods=["GET"],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **REFUSALS},
        summary="New tips and alerts as they come",
        operation_id="events",
    )


def _table_route(reader: Reader, endpoint: Endpoint) -> Callable[[Request], Response]:
    def read(request: Request) -> Response:
        values = read_parameters(endpoint.parameters, request.query_params.multi_items())
        name = chosen_format(values["format"], request.headers.get("accept"))
        try:
            table = endpoint.read(reader, values)
        except ConfigError as error:
            raise ApiError(422, "bad-request", str(error)) from None
        headers = {}
        if table.next is not None:
            headers["Link"] = f'<{_next_url(request, table.next)}>; rel="next"'
        if name != "json":
            headers["Content-Disposition"] = f'attachment; filename="{file_name(endpoint.path, name)}"'
        return _answer(request, body_of(table, name), MEDIA_TYPES[name], headers)

    return read


def _next_url(request: Request, cursor: str) -> str:
    """The request's own address below this host, with the cursor of the next page."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in [*pairs, ("cursor", cursor)])
    return f"{quote(request.url.path)}?{query}"


def _answer(request: Request, body: bytes, media: str, headers: dict[str, str] | None = None) -> Response:
    """200 with the body and its tag, or 304 where the client has it."""
    more = headers or {}
    tag = etag(body, media, more.get("Link"))
    if is_known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers={"ETag": tag, **_KEPT})
    suffix = "; charset=utf-8" if media.startswith(("text/", "application/json")) else ""
    return Response(body, media_type=media + suffix, headers={"ETag": tag, **_KEPT, **more})


async def _refused(_: Request, error: Any) -> JSONResponse:
    return JSONResponse(error.body.model_dump(mode="json"), status_code=error.status, headers=error.headers)


async def _http_error(request: Request, error: Any) -> JSONResponse:
    slug = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
    paths = ", ".join(f"{PREFIX}/{endpoint.path}" for endpoint in ENDPOINTS)
    expected = "this API is read with GET" if error.status_code == 405 else f"there are {PREFIX}/catalog, {paths}"
    body = RefusalBody(error=slug, message=f"{error.detail}: {expected}")
    return JSONResponse(body.model_dump(mode="json"), status_code=error.status_code, headers=error.headers)
