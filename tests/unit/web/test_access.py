"""Who gets in: the rules of the desk's access, request by request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from desk.web.access import HEADERS, SESSION_SECONDS, Access, AccessMiddleware

TOKEN = "a-token-of-some-length"
LOOPBACK = {"host": "127.0.0.1:8686"}


class Desk:
    """One desk with a clock that is set by hand."""

    def __init__(self, *, on_loopback: bool = True, secure: bool = False) -> None:
        self.now = 0.0
        self.keys: list[str] = []
        self.access = Access(TOKEN, lambda: self.now, self.keys.append)
        self._app = AccessMiddleware(PlainTextResponse("inside"), self.access, on_loopback=on_loopback, secure=secure)

    def ask(
        self, path: str = "/", query: str = "", method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        sent: list[Message] = []
        given = {**LOOPBACK, **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "server": ("127.0.0.1", 8686),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(self._app(scope, receive, send))
        found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]).decode()

    def cookie(self) -> str:
        """The cookie of a session that the newest link opens."""
        status, headers, _ = self.ask(query=f"key={self.keys[-1]}&view=raw")
        assert (status, headers["location"]) == (303, "./?view=raw")
        return headers["set-cookie"]


def test_a_link_opens_one_session() -> None:
    desk = Desk()
    first = desk.keys[0]
    cookie = desk.cookie()
    assert {"httponly", "samesite=lax", "path=/"} <= set(cookie.lower().replace("; ", ";").split(";"))
    session = cookie.split(";")[0]
    assert desk.ask(cookie=session)[::2] == (200, "inside")
    assert desk.ask(query=f"key={first}")[0] == 401, "a link is used once"
    assert len(desk.keys) == 2 and desk.keys[1] != first
    assert desk.ask("/sql", query=f"key={desk.keys[1]}")[0] == 401, "only the start page takes one"


def test_a_session_ends() -> None:
    desk = Desk()
    session = desk.cookie().split(";")[0]
    desk.now = SESSION_SECONDS - 1
    assert desk.ask(cookie=session)[0] == 200
    desk.now = SESSION_SECONDS
    assert desk.ask(cookie=session)[0] == 401


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"cookie": "a=b; ,="}]
)
def test_nobody_else_gets_in(headers: dict[str, str]) -> None:
    status, answered, body = Desk().ask(**headers)
    assert (status, answered["www-authenticate"]) == (401, "Bearer")
    assert "counterpoise desk --link" in body


def test_the_token_is_for_programs() -> None:
    assert Desk().ask(authorization=f"Bearer {TOKEN}")[0] == 200
    assert Desk().ask(authorization=f"bearer  {TOKEN}")[0] == 200


def test_a_name_that_points_here_is_refused_on_loopback_only() -> None:
    for host in ("evil.example", "evil.example:8686", "127.0.0.1.evil.example", "[", ""):
        assert Desk().ask(host=host, authorization=f"Bearer {TOKEN}")[0] == 403
    for host in ("localhost:8686", "[::1]:8686", "127.0.0.1"):
        assert Desk().ask(host=host, authorization=f"Bearer {TOKEN}")[0] == 200
    assert Desk(on_loopback=False).ask(host="desk.example", authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1:8686"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_a_page_of_another_site_posts_nothing(headers: dict[str, str], status: int) -> None:
    desk = Desk()
    session = desk.cookie().split(";")[0]
    assert desk.ask("/sql/run", method="POST", cookie=session, **headers)[0] == status


def test_every_answer_has_the_headers() -> None:
    desk = Desk()
    for answer in (desk.ask(), desk.ask(authorization=f"Bearer {TOKEN}"), desk.ask(host="evil.example")):
        for name, value in HEADERS.items():
            assert answer[1][name.lower()] == value
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]


def test_behind_https_the_cookie_is_secure() -> None:
    assert "secure" in Desk(secure=True).cookie().lower()
    assert "secure" not in Desk().cookie().lower()
