"""Answers of the desk's pages: a frame around a body that is read in a thread, and one page for each thing that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from fastapi.responses import HTMLResponse, RedirectResponse, Response

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import ChangingError, CounterpoiseError
from counterpoise.plots.marks import text_of
from desk.web import page_frame, past
from desk.web.hub import Hub
from desk.web.panels.panel import PageContext

T = TypeVar("T")


class Answers:
    """Makes the answers of one desk. `connect` makes a read-only client for one request's thread."""

    def __init__(self, hub: Hub, connect: Callable[[], ClickHouse], threads: ThreadPoolExecutor) -> None:
        self._hub = hub
        self._connect = connect
        self._threads = threads

    def context(self) -> PageContext:
        """The context of now."""
        return self._hub.context_of(self._hub.now())

    def head(self) -> str:
        """The markup of the head: how the line runs now."""
        return page_frame.line_head(self._hub.line[0], self._hub.now(), live=self._hub.is_live)

    def whole(self, title: str, body_markup: str, status: int = 200) -> HTMLResponse:
        """A page with this body, its head and its frame."""
        return HTMLResponse(page_frame.frame(title, body_markup, self.context(), self.head()), status)

    def missing(self, what: str) -> HTMLResponse:
        """404 with one sentence about what is not there."""
        return self._failed("Not found", what, 404)

    def not_understood(self, error: ValueError) -> HTMLResponse:
        """400 with what is wrong with the address."""
        return self._failed("Not understood", str(error), 400)

    def _failed(self, title: str, what: str, status: int) -> HTMLResponse:
        return self.whole(title, f'<p class="none-yet"><b>{title}.</b> {text_of(what)}</p>', status)

    async def of_database(self, work: Callable[[ClickHouse, PageContext], T]) -> T | HTMLResponse:
        """What `work` returns from a thread with its own connection; 503 where ClickHouse does not answer."""

        def run() -> T:
            with self._connect() as clickhouse:
                return work(clickhouse, self.context())

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except ChangingError as error:
            return self._failed("Not now", str(error), 503)
        except CounterpoiseError as error:
            return self._failed("ClickHouse does not answer", str(error), 503)

    async def of_page(
        self, title: str, what: str, work: Callable[[ClickHouse, PageContext], str | Response | None]
    ) -> Response:
        """A page with the body that `work` draws; 404 where it returns None. `what` names it in that sentence."""
        found = await self.of_database(work)
        if isinstance(found, Response):
            return found
        return self.missing(f"There is no {what}.") if found is None else self.whole(title, found)

    async def of_past(
        self, height: str, at: str, path: str, work: Callable[[ClickHouse, PageContext], str]
    ) -> Response:
        """A page of the past. An address with a time leads to that of its block, which stays the same."""
        try:
            wanted = past.parse(height, at)
        except ValueError as error:
            return self.not_understood(error)

        def found(clickhouse: ClickHouse, context: PageContext) -> Response | None:
            then = past.find(clickhouse, context, wanted)
            if then is None:
                return None
            if isinstance(wanted, datetime):
                return RedirectResponse(f"{path}?height={then.height}", 303)
            return HTMLResponse(work(clickhouse, then))

        answer = await self.of_database(found)
        return answer if answer is not None else self.missing(past.absent(wanted, self._hub.line[0].tip_height))
