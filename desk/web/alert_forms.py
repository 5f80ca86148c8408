"""The one route of the page that writes: a person acknowledges or silences an alert that fires, or calls one useful or noise.

The session decides who may, as for every page. The form's token proves that it was filled in on our page, and Guard that the request
came from there. The writing client is made for one request, and nothing else on the page has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, cast
from urllib.parse import parse_qs, quote

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from alerts.policy import MAX_AUTHOR, Verdict
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import CounterpoiseError
from counterpoise.plots.marks import text_of
from counterpoise.visible import one_line
from desk.alert_requests import (
    Person,
    RequestRefusedError,
    acknowledge_alert,
    judge_alert,
    silence_alert,
    user_name,
)
from desk.web.access import Access
from desk.web.pages.alert_people import ACKNOWLEDGE, BUTTONS, SILENCES, ActionForm

MAX_BODY: Final = 4_096
MAX_ID: Final = 128

Whole = Callable[[str, str, int], Response]
"""A whole page from its title, its body as markup, and its status."""

log = structlog.get_logger("desk")


def build_alert_forms(
    access: Access, write: Callable[[], ClickHouse], threads: ThreadPoolExecutor, whole: Whole
) -> APIRouter:
    """The route `/alert/ID/ask`. `write` makes a client that may insert rows."""
    router = APIRouter(include_in_schema=False)

    def refused(reason: str, status: int, alert_id: str) -> Response:
        back = f'<a href="/alert/{quote(alert_id, safe="")}">Back to the alert</a>'
        return whole("Not done", f'<p class="none-yet"><b>Not done.</b> {text_of(reason)}. {back}</p>', status)

    @router.post("/alert/{alert_id}/ask")
    async def ask(alert_id: str, request: Request) -> Response:
        name, headers = alert_id[:MAX_ID], headers_of(request)
        body = await body_of(request)
        if body is None:
            return refused("The form is too long", 413, name)
        given = {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if not access.is_form_token(headers, given.get("token", "")):
            return refused("The form is too old, or came from another page", 403, name)
        asked, author = given.get("ask", ""), access.user(headers) or one_line(given.get("author", ""), MAX_AUTHOR)
        if asked not in BUTTONS:
            return refused("The page has no such button", 400, name)
        if not author:
            return refused("A name is needed", 400, name)
        person = Person(author, given.get("reason", ""), via="page")
        try:
            problem = await asyncio.get_running_loop().run_in_executor(threads, _write, write, name, asked, person)
        except RequestRefusedError as error:
            return refused(str(error), 409, name)
        except CounterpoiseError as error:
            log.warning("a request on the page is not stored", alert_id=name, reason=str(error))
            return refused("The database does not take it now. Try again later", 503, name)
        if problem:
            return refused(problem, 409, name)
        return RedirectResponse(f"/alert/{quote(name, safe='')}", 303)

    return router


def _write(write: Callable[[], ClickHouse], alert_id: str, asked: str, person: Person) -> str:
    """Store the request; why it is not done, or nothing."""
    with write() as clickhouse:
        store = AlertStore(clickhouse)
        if asked == ACKNOWLEDGE:
            known = acknowledge_alert(store, alert_id, person)
            return f"{known.author or 'Somebody'} acknowledged it before" if known is not None else ""
        if asked in SILENCES:
            silence_alert(store, alert_id, SILENCES[asked][1], person)
        else:
            judge_alert(store, alert_id, cast(Verdict, asked), person)
        return ""


def form_for(access: Access, headers: dict[str, str]) -> ActionForm:
    """The form of a caller. On this machine the name is that of its user, until another one is typed."""
    user = access.user(headers)
    proposal = user_name() if access.is_local else ""
    return ActionForm(access.form_token(headers), user or proposal, is_known=bool(user))


def headers_of(request: Request) -> dict[str, str]:
    """The headers by lower-case name, as Access reads them."""
    return {name.lower(): value for name, value in request.headers.items()}


async def body_of(request: Request) -> bytes | None:
    """The body of a form; None for one that is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)
