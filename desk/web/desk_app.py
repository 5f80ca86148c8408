"""The application: the page, its panels, the pages behind its links, and the stream of changes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Annotated, Final

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import ConfigError
from counterpoise.plots.marks import text_of
from desk.as_of.known import parse_day
from desk.as_of.read import read_as_of
from desk.asker import Asker
from desk.web import page_frame, past
from desk.web.access import OPEN_PATH, Access, Guard, key_of
from desk.web.alert_forms import body_of, build_alert_forms, form_for, headers_of
from desk.web.answers import Answers
from desk.web.api.api_app import PREFIX, build_api
from desk.web.api.embed import build_embed
from desk.web.api.reader import Reader
from desk.web.console.router import build_console
from desk.web.drawing import Drawn, draw_panel
from desk.web.event_stream import EventStream
from desk.web.hub import Hub
from desk.web.kept_page import KeptPage
from desk.web.pages import alert_page, as_of_page, block_page, claims_page, pool_page, series_page, what_if_page
from desk.web.panels import shares_panel
from desk.web.panels.panel import PageContext
from desk.web.panels.panel_registry import PANELS
from desk.web.style import style_sheet

MAX_NAME: Final = 128
MAX_TICKED: Final = 64
CLAIMS_SECONDS: Final = 60.0
"""The page of the claims is drawn at most once in so long for one tip: a release may come between two blocks."""
_STATIC: Final = {"live.js": "text/javascript", "readings.js": "text/javascript", "icon.svg": "image/svg+xml"}


def build_app(
    hub: Hub,
    access: Access,
    connect: Callable[[], ClickHouse],
    pool_of_threads: ThreadPoolExecutor,
    query: Callable[[], ClickHouse],
    *,
    write: Callable[[], ClickHouse] | None = None,
) -> Guard:
    """The whole application behind its guard. `connect` makes a read-only client for one request's thread, `query` one for the API
    and for statements of people, with their limits. `write` makes one for what people ask about an alert, and for nothing else; None
    where they may not."""
    app = FastAPI(title="Counterpoise desk", docs_url=None, redoc_url=None, openapi_url=None)
    answers = Answers(hub, connect, pool_of_threads)
    _add_tools(app, answers.context(), query)
    _add_panels(app, hub, answers, past.PastPages(connect, hub.now))
    if write is not None:
        app.include_router(build_alert_forms(access, write, pool_of_threads, answers.whole))
    _add_alert(app, answers, None if write is None else access)
    _add_things(app, answers)
    _add_claims(app, hub, answers)
    _add_as_of(app, answers)
    _add_what_if(app, answers)
    _add_events(app, hub)
    _add_static(app)
    _add_access(app, access)
    return Guard(app, access)


def _add_panels(app: FastAPI, hub: Hub, answers: Answers, kept_past: past.PastPages) -> None:
    """The first page, one panel alone and one chart, each now or as of a past block."""

    @app.get("/")
    async def first(height: str = "", at: str = "") -> Response:
        panels, tip = tuple(PANELS.values()), hub.line[0].tip_height
        if not height and not at:
            return HTMLResponse(page_frame.first_page(hub.drawn, panels, answers.context(), answers.head(), tip))

        def work(clickhouse: ClickHouse, then: PageContext) -> str:
            return page_frame.first_page(kept_past.read(clickhouse, then, panels), panels, then, past.head(then), tip)

        return await answers.of_past(height, at, "/", work)

    @app.get("/panel/{name}")
    async def panel(name: str, height: str = "", at: str = "") -> Response:
        if name not in PANELS:
            return answers.missing(f"There is no panel {name[:MAX_NAME]}.")

        def alone(drawn: Drawn, context: PageContext, head_markup: str) -> str:
            then = past.controls(context, hub.line[0].tip_height, f"/panel/{name}")
            crumbs = f'<p class="crumbs"><a href="/">Desk</a> › {text_of(drawn.panel.title)}</p>'
            box = page_frame.panel_box(drawn, alone=True, height=context.height)
            live = context.height is None
            return page_frame.frame(drawn.panel.title, crumbs + box, context, head_markup, live=live, time_markup=then)

        if not height and not at:
            drawn = hub.drawn.get(name)
            if drawn is None:
                return answers.missing(f"The panel {name} was not read yet.")
            return HTMLResponse(alone(drawn, answers.context(), answers.head()))

        def work(clickhouse: ClickHouse, then: PageContext) -> str:
            return alone(draw_panel(clickhouse, PANELS[name], then), then, past.head(then))

        return await answers.of_past(height, at, f"/panel/{name}", work)

    @app.get("/chart/{view}/{span}")
    async def chart(view: str, span: str, height: str = "") -> Response:
        if span not in shares_panel.SPANS or view not in shares_panel.VIEW_WORDS:
            return answers.missing("There is no such chart.")

        def work(clickhouse: ClickHouse, context: PageContext) -> str:
            asker = Asker(clickhouse, context.dataset)
            return shares_panel.chart(shares_panel.read_one(asker, context, view, span), context)

        def now(clickhouse: ClickHouse, context: PageContext) -> Response:
            return HTMLResponse(work(clickhouse, context))

        if height:
            return await answers.of_past(height, "", f"/chart/{view}/{span}", work)
        return await answers.of_database(now)


def _add_alert(app: FastAPI, answers: Answers, access: Access | None) -> None:
    """The page of an alert. With `access` it has the form by which people act."""

    @app.get("/alert/{alert_id}")
    async def show_alert(alert_id: str, request: Request) -> Response:
        name = alert_id[:MAX_NAME]
        form = None if access is None else form_for(access, headers_of(request))

        def work(clickhouse: ClickHouse, context: PageContext) -> str | None:
            found = alert_page.read(clickhouse, context, name)
            return None if found is None else alert_page.draw(found, name, context, form)

        return await answers.of_page(f"Alert {name}", f"alert {name}", work)


def _add_things(app: FastAPI, answers: Answers) -> None:
    """The pages of a pool, a block and a market series."""

    @app.get("/pool/{slug}")
    async def show_pool(slug: str) -> Response:
        name = slug[:MAX_NAME]

        def work(clickhouse: ClickHouse, context: PageContext) -> str | None:
            found = pool_page.read(clickhouse, context, name)
            return None if found is None else pool_page.draw(found, context)

        return await answers.of_page(f"Pool {name}", f"pool {name}", work)

    @app.get("/block/{block_hash}")
    async def show_block(block_hash: str) -> Response:
        name = block_hash[:MAX_NAME].lower()

        def work(clickhouse: ClickHouse, context: PageContext) -> str | None:
            found = block_page.read(clickhouse, context, name)
            return None if found is None else block_page.draw(found)

        return await answers.of_page(f"Block {name[:12]}", f"block {name}", work)

    @app.get("/series/{name}")
    async def show_series(name: str) -> Response:
        wanted = name[:MAX_NAME]

        def work(clickhouse: ClickHouse, context: PageContext) -> str | None:
            found = series_page.read(clickhouse, context, wanted)
            return None if found is None else series_page.draw(found)

        return await answers.of_page(f"Series {wanted}", f"series {wanted}", work)


def _add_claims(app: FastAPI, hub: Hub, answers: Answers) -> None:
    kept_claims = KeptPage()

    @app.get("/claims")
    async def show_claims() -> Response:
        state = (hub.line[0].tip_height, hub.line[0].tip_time, hub.now().timestamp() // CLAIMS_SECONDS)

        def work(clickhouse: ClickHouse, context: PageContext) -> str:
            return kept_claims.of(state, lambda: claims_page.draw(claims_page.read(clickhouse), context))

        return await answers.of_page("Claims", "claim", work)


def _add_as_of(app: FastAPI, answers: Answers) -> None:
    @app.get("/as-of/{day}")
    async def show_as_of(day: str) -> Response:
        try:
            wanted = parse_day(day)
        except ValueError as error:
            return answers.not_understood(error)

        def work(clickhouse: ClickHouse, context: PageContext) -> str | Response:
            try:
                return as_of_page.draw(read_as_of(clickhouse, context.chain, wanted, context.window_blocks), context)
            except ConfigError as error:  # no block is as old
                return answers.missing(str(error))

        return await answers.of_page(f"As of {wanted}", "such day", work)


def _add_what_if(app: FastAPI, answers: Answers) -> None:
    @app.get("/what-if")
    async def show_what_if(pool: Annotated[list[str] | None, Query()] = None, window: str = "") -> Response:
        try:
            named, blocks = what_if_page.parse((pool or [])[:MAX_TICKED], window, answers.context().window_blocks)
        except ValueError as error:
            return answers.not_understood(error)

        def work(clickhouse: ClickHouse, context: PageContext) -> str | Response:
            try:
                return what_if_page.draw(what_if_page.read(clickhouse, context, named, blocks))
            except ConfigError as error:  # not scored yet, or a pool without a block
                return answers.missing(str(error))

        return await answers.of_page("What if", "window", work)


def _add_events(app: FastAPI, hub: Hub) -> None:
    """The stream of changes, and whether ClickHouse answers."""
    stream = EventStream(hub)

    @app.get("/events")
    async def events(request: Request) -> StreamingResponse:
        return StreamingResponse(
            stream.to(request), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    @app.get("/healthz")
    async def healthz() -> PlainTextResponse:
        away = hub.line[0].away_since is not None
        return PlainTextResponse("ClickHouse does not answer\n" if away else "ok\n", 503 if away else 200)


def _add_static(app: FastAPI) -> None:
    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name == "desk.css":
            return Response(style_sheet(), media_type="text/css")
        if name not in _STATIC:
            return PlainTextResponse("not found\n", 404)
        text = files("desk.web").joinpath("static", name).read_text(encoding="utf-8")
        return Response(text, media_type=_STATIC[name])


def _add_access(app: FastAPI, access: Access) -> None:
    """The link, or the form, that opens a session."""

    @app.get(OPEN_PATH)
    async def open_link(request: Request) -> Response:
        if access.takes_token():
            return HTMLResponse(_OPEN_FORM)
        return _opened(access, request, key_of(request.scope.get("query_string", b"")))

    @app.post(OPEN_PATH)
    async def open_form(request: Request) -> Response:
        body = await body_of(request)
        return PlainTextResponse("too long\n", 413) if body is None else _opened(access, request, key_of(body))


def _add_tools(app: FastAPI, context: PageContext, query: Callable[[], ClickHouse]) -> None:
    """The API, charts to embed and the SQL console."""
    reader = Reader(query)
    app.mount(PREFIX, build_api(reader, dataset=context.dataset, dataset_kind=context.kind))
    app.include_router(build_embed(reader, dataset_kind=context.kind))
    app.include_router(build_console(query, reader, dataset=context.dataset, dataset_kind=context.kind))


def _opened(access: Access, request: Request, key: str) -> Response:
    client = request.client.host if request.client else "?"
    if access.wait_seconds(client, attempt=True) > 0:
        return PlainTextResponse("Too many attempts: wait a few seconds.\n", 429)
    value = access.open(key)
    if value is None:
        words = (
            "This token is not the desk's."
            if access.takes_token()
            else ("This link was used already, or is an old one. Type `counterpoise desk --link` for a new one.")
        )
        return PlainTextResponse(f"{words}\n", 403)
    if not access.takes_token():
        access.new_link()
    answer = RedirectResponse("/", 303)
    secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    answer.set_cookie(access.cookie_name, value, httponly=True, samesite="strict", secure=secure, path="/")
    return answer


_OPEN_FORM = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<title>Open the desk · Counterpoise</title><link rel="stylesheet" href="/static/desk.css"></head><body><main>'
    '<h1>Counterpoise desk</h1><form method="post" action="/open"><p><label for="key">Token</label></p>'
    '<p><input id="key" name="key" type="password" autocomplete="current-password" required autofocus></p>'
    '<p><button type="submit">Open</button></p></form></main></body></html>'
)
