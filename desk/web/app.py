"""The desk's application: the API, charts to embed and the SQL console, behind the access rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from counterpoise.clickhouse.client import ClickHouse
from desk.web.access import Access, AccessMiddleware
from desk.web.api.app import PREFIX, build_api
from desk.web.api.embed import build_embed
from desk.web.api.reader import Reader
from desk.web.console.router import build_console


@dataclass(frozen=True, slots=True)
class DeskData:
    """What the desk shows: `reader` runs the desk's own statements, `connect` opens a connection for a statement of a person."""

    dataset: str
    dataset_kind: str
    reader: Reader
    connect: Callable[[], ClickHouse]


def build_app(data: DeskData, access: Access, *, on_loopback: bool, secure: bool = False) -> FastAPI:
    """The whole application."""
    app = FastAPI(title="Counterpoise desk", openapi_url=None, docs_url=None, redoc_url=None)
    app.mount(PREFIX, build_api(data.reader, dataset=data.dataset, dataset_kind=data.dataset_kind))
    app.include_router(build_embed(data.reader, dataset_kind=data.dataset_kind))
    app.include_router(build_console(data.connect, data.reader, dataset=data.dataset, dataset_kind=data.dataset_kind))

    @app.get("/", include_in_schema=False)
    def start() -> RedirectResponse:
        return RedirectResponse("sql", 307)

    app.add_middleware(AccessMiddleware, access=access, on_loopback=on_loopback, secure=secure)
    return app
