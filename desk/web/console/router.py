"""The console's routes: the page, what its editor completes, and statements run, exported and cancelled."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import ConfigError
from counterpoise.visible import visible
from desk.results import arrow, writers
from desk.results.type_names import parse_type
from desk.results.values import plain_text
from desk.web.api.answer_formats import MEDIA_TYPES, etag, is_known
from desk.web.api.api_errors import ApiError
from desk.web.api.reader import Reader
from desk.web.console.console_limits import (
    MAX_BODY_BYTES,
    MAX_EXPORTED_ROWS,
    MAX_SHOWN_ROWS,
    MAX_SQL_CHARACTERS,
    MAX_STATEMENTS,
    limits_of,
)
from desk.web.console.console_page import page
from desk.web.console.console_schema import schema
from desk.web.console.console_statements import (
    QUERY_ID,
    ConsoleBusyError,
    StatementError,
    Statements,
    UnavailableError,
)
from desk.web.console.result_plot import result_plot

STATIC: Final = Path(__file__).parent / "static"
STATIC_FILES: Final = {"console.js": "text/javascript", "completion.js": "text/javascript", "console.css": "text/css"}
FIRST_ROWS_HEADER: Final = "X-First-Rows"
"""How many rows the file has, where the result has more."""

_Body = TypeVar("_Body", bound=BaseModel)
_Text = Annotated[str, Field(max_length=MAX_SQL_CHARACTERS)]


class StatementBody(BaseModel):
    """The body of /sql/run and /sql/export."""

    model_config = ConfigDict(extra="forbid")

    sql: Annotated[str, Field(min_length=1, max_length=MAX_SQL_CHARACTERS)]
    parameters: Annotated[dict[Annotated[str, Field(pattern=r"^\w{1,64}$")], _Text], Field(max_length=64)] = {}
    query_id: Annotated[str, Field(pattern=f"^{QUERY_ID.pattern}$")]


class Export(StatementBody):
    """The body of /sql/export."""

    format: Literal["csv", "jsonl", "parquet"]


class Cancel(BaseModel):
    """The body of /sql/cancel."""

    model_config = ConfigDict(extra="forbid")

    query_id: Annotated[str, Field(pattern=f"^{QUERY_ID.pattern}$")]


def build_console(connect: Callable[[], ClickHouse], reader: Reader, *, dataset: str, dataset_kind: str) -> APIRouter:
    """The routes below /sql. `connect` makes read-only connections, one a statement; `reader` reads names of tables.

    The application around it decides who may call: every POST takes JSON only, which no form of another site can send.
    """
    router = APIRouter(include_in_schema=False)
    statements = Statements(connect)
    html = page(dataset, dataset_kind)

    @router.get("/sql")
    def console() -> Response:
        return Response(html, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})

    @router.get("/sql/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC_FILES:
            return Response("There is no file of this name.\n", 404, media_type="text/plain")
        return FileResponse(STATIC / name, media_type=STATIC_FILES[name], headers={"Cache-Control": "no-cache"})

    @router.get("/sql/schema")
    def names(request: Request) -> Response:
        try:
            document = schema(reader)
            with reader.client() as client:
                document["limits"] = limits_of(client)
        except ApiError as error:
            return _refusal(error.status, error.body.error, error.body.message)
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = {"ETag": etag(body), "Cache-Control": "private, no-cache"}
        if is_known(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    _add_statements(router, statements)
    return router


def _add_statements(router: APIRouter, statements: Statements) -> None:
    @router.post("/sql/run")
    async def run(request: Request) -> Response:
        return await _answered(request, StatementBody, lambda given: _rows(statements, given))

    @router.post("/sql/export")
    async def export(request: Request) -> Response:
        return await _answered(request, Export, lambda given: _file(statements, given))

    @router.post("/sql/cancel")
    async def cancel(request: Request) -> Response:
        return await _answered(
            request, Cancel, lambda given: JSONResponse({"cancelled": statements.cancel(given.query_id)})
        )


async def _answered(request: Request, model: type[_Body], answer: Callable[[_Body], Response]) -> Response:
    """The answer to a JSON body of `model`, worked out in a thread; a refusal in one line for everything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _refusal(415, "not-json", "send the header Content-Type: application/json")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            return _refusal(413, "too-large", f"at most {MAX_BODY_BYTES} bytes a request")
    try:
        given = model.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return _refusal(422, "bad-body", f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}")
    try:
        return await run_in_threadpool(answer, given)
    except StatementError as error:
        place = error.error
        return _refusal(
            400, "refused", str(error), line=place.line, column=place.column, pointer=visible(place.pointer, keep="\n")
        )
    except ConfigError as error:
        return _refusal(400, "refused", str(error))
    except ConsoleBusyError:
        return _refusal(503, "busy", f"{MAX_STATEMENTS} statements run already: try again, or cancel one")
    except UnavailableError:
        return _refusal(503, "clickhouse-unavailable", "ClickHouse does not answer now")


def _rows(statements: Statements, given: StatementBody) -> Response:
    found = statements.run(given.sql, given.parameters, given.query_id, MAX_SHOWN_ROWS)
    kinds = [parse_type(spec) for _, spec in found.heads]
    rows = [
        [visible(plain_text(kind, value, digits=9), keep="\n") for kind, value in zip(kinds, row, strict=True)]
        for row in zip(*found.columns, strict=True)
    ]
    return JSONResponse(
        {
            "columns": [
                {"name": visible(name), "type": spec, "numeric": writers.is_numeric(kind)}
                for (name, spec), kind in zip(found.heads, kinds, strict=True)
            ],
            "rows": rows,
            "more": found.more,
            "seconds": round(found.seconds, 3),
            "plot": result_plot(found.heads, found.columns),
        }
    )


def _file(statements: Statements, given: Export) -> Response:
    with statements.stream(given.sql, given.parameters, given.query_id) as stream:
        first = FirstRows(stream, MAX_EXPORTED_ROWS)
        body = _written(first.blocks(), given.format)
    headers = {"Content-Disposition": f'attachment; filename="result.{given.format}"'}
    if first.more:
        headers[FIRST_ROWS_HEADER] = str(MAX_EXPORTED_ROWS)
    return Response(body, media_type=MEDIA_TYPES[given.format], headers=headers)


class FirstRows:
    """The first `limit` rows of a result; `more`, once they were read: it has others."""

    def __init__(self, stream: Iterator[Any], limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.more = False

    def blocks(self) -> Iterator[Any]:
        """The blocks with these rows."""
        left = self._limit
        for heads, columns in self._stream:
            rows = len(columns[0]) if columns else 0
            if rows > left:
                self.more = True
                yield heads, [column[:left] for column in columns]
                return
            yield heads, columns
            left -= rows


def _written(blocks: Iterator[Any], name: str) -> bytes:
    if name == "parquet":
        raw = io.BytesIO()
        arrow.write_parquet(blocks, raw)
        return raw.getvalue()
    text = io.StringIO(newline="")
    if name == "csv":
        writers.write_csv(blocks, text, raw=False)
    else:
        writers.write_json_lines(blocks, text)
    return text.getvalue().encode()


def _refusal(status: int, error: str, message: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": error, "message": visible(message), **more}, status_code=status)
