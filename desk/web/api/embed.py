"""`/embed/chart`: a chart of one metric behind a permanent URL, for an <img> of another page."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from counterpoise.metrics.specs.metric_registry import SPECS
from desk.web.api.answer_formats import AnswerTable, etag, is_known
from desk.web.api.api_endpoints import ENDPOINTS, MAX_ROWS
from desk.web.api.api_errors import ApiError
from desk.web.api.embedded_chart import (
    MAX_HEIGHT,
    MAX_WIDTH,
    MIN_HEIGHT,
    MIN_WIDTH,
    STYLE_HASH,
    USUAL_HEIGHT,
    USUAL_WIDTH,
    About,
    ChartPoint,
    chart,
)
from desk.web.api.parameters import one_of, read_parameters, whole_number
from desk.web.api.reader import Reader

PATH: Final = "/embed/chart"
_TIMESERIES: Final = next(endpoint for endpoint in ENDPOINTS if endpoint.path == "timeseries")
_SHARED: Final = tuple(
    one for one in _TIMESERIES.parameters if one.name not in ("metrics", "frequency", "limit", "cursor", "format")
)
PARAMETERS: Final = (
    one_of("metric", "Metric; its interval is drawn as a band.", list(SPECS), "top4_share"),
    one_of("frequency", "Points per hour or UTC day.", ("hour", "day"), "day"),
    *_SHARED,
    whole_number("width", "Width of the drawing.", MIN_WIDTH, MAX_WIDTH, USUAL_WIDTH),
    whole_number("height", "Height of the drawing.", MIN_HEIGHT, MAX_HEIGHT, USUAL_HEIGHT),
)


def build_embed(reader: Reader, *, dataset_kind: str) -> APIRouter:
    """The route, to be included in the desk's application."""
    router = APIRouter()

    @router.get(PATH, response_class=Response, include_in_schema=False)
    def embed(request: Request) -> Response:
        try:
            given = read_parameters(PARAMETERS, request.query_params.multi_items())
            body = _svg(reader, given, dataset_kind).encode()
        except ApiError as error:
            text = f"{error.body.message}\n"
            return Response(text, status_code=error.status, media_type="text/plain", headers=error.headers)
        headers = {
            "ETag": etag(body),
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE_HASH}'",
        }
        if is_known(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="image/svg+xml", headers=headers)

    return router


def _svg(reader: Reader, given: dict[str, Any], dataset_kind: str) -> str:
    spec = SPECS[given["metric"]]
    interval = spec.interval or ()
    asked = {name: given[name] for name in ("view", "window", "chain", "frequency", "start", "end", "as_of")}
    page = {"metrics": (spec.name, *interval), "limit": MAX_ROWS, "cursor": None, "format": None}
    table = _TIMESERIES.read(reader, {**asked, **page})
    about = About(given["chain"], given["view"], given["window"], given["frequency"], dataset_kind)
    return chart(spec, points_of(table), about, width=given["width"], height=given["height"])


def points_of(table: AnswerTable) -> list[ChartPoint]:
    """Rows of time, height, value and perhaps the ends of its interval."""
    found = []
    for columns in table.blocks:
        for time, _, value, *ends in zip(*columns, strict=True):
            low, high = ends or (math.nan, math.nan)
            found.append(ChartPoint(_moment(time), float(value), float(low), float(high)))
    return found


def _moment(value: date) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
