"""Who may see the page, and the headers that every answer has.

On loopback a one-time link opens a session, as Jupyter does. On any other address a token or a trusted proxy's header is needed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.private_files import private_folder, write_private
from counterpoise.settings.section import read_secret
from counterpoise.settings.sections.service_sections import DeskSettings
from counterpoise.urls import is_local, split_url
from desk.web.proxies import LOOPBACK, Proxies
from ingest.releases.push.push_limits import TokenBucket

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE_PREFIX: Final = "counterpoise_session_"
OPEN_PATH: Final = "/open"
MIN_TOKEN_CHARACTERS: Final = 16
MAX_SESSIONS: Final = 1_000
PUBLIC_PATHS: Final = frozenset({"/healthz", OPEN_PATH})
ATTEMPTS_PER_SECOND, ATTEMPTS_AT_ONCE = 0.5, 10
REQUESTS_PER_SECOND, REQUESTS_AT_ONCE = 50.0, 300
_MAX_QUERY: Final = 8_192
_ALL_ADDRESSES: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""No third-party code, no inline script or style, no frame around the page."""


class Access:
    """See the module. One process; sessions are in its memory, so a restart asks people to open the page anew."""

    def __init__(self, settings: DeskSettings, link_file: Path, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._link_file = link_file
        self.cookie_name = (
            COOKIE_PREFIX + _digest(f"{settings.public_url} {socket.gethostname()} {link_file.absolute()}")[:12]
        )
        """A browser sends the cookies of one host to each of its ports: desks that share a host each have their own name."""
        self._sessions: dict[str, float] = {}
        self._token: SecretStr | None = read_secret(settings.token, settings.token_file, "COUNTERPOISE_DESK__TOKEN")
        if self._token is not None and len(self._token.get_secret_value()) < MIN_TOKEN_CHARACTERS:
            raise ConfigError(
                f"COUNTERPOISE_DESK__TOKEN has fewer than {MIN_TOKEN_CHARACTERS} characters: take one from `openssl rand -hex 32`"
            )
        self.is_local = is_local(settings.host)
        if not self.is_local and self._token is None and settings.proxy_user_header is None:
            raise ConfigError(
                f"the desk page would be open to everybody on {settings.host}: set COUNTERPOISE_DESK__TOKEN_FILE, or "
                "COUNTERPOISE_DESK__PROXY_USER_HEADER behind a proxy that signs people in, or listen on 127.0.0.1"
            )
        header = settings.proxy_user_header
        self.proxies = Proxies(settings.proxy_addresses or (LOOPBACK if self.is_local and header else ""), header)
        if header is not None and not self.proxies:
            raise ConfigError(
                f"anybody who reaches {settings.host} could send the header {header}: set COUNTERPOISE_DESK__PROXY_ADDRESSES to the "
                "addresses of the proxy, such as 10.0.0.5"
            )
        self._attempts: dict[str, TokenBucket] = {}
        self._requests: dict[str, TokenBucket] = {}
        self._key = ""
        self._form_key = secrets.token_bytes(32)
        self._port = 0

    def new_link(self, port: int | None = None) -> str:
        """A link that opens the page once; written to the link file too. `port` is where it listens; without one as before."""
        self._key = secrets.token_urlsafe(24)
        self._port = self._port if port is None else port
        base = self.address(self._port)
        link = f"{base}{OPEN_PATH}?key={self._key}" if self._token is None else f"{base}{OPEN_PATH}"
        private_folder(self._link_file.parent)
        write_private(self._link_file, link + "\n")
        return link

    def address(self, port: int) -> str:
        """Where people find the page: its public URL, else the address that it listens on; this machine's where it listens on all."""
        host = "127.0.0.1" if self._settings.host in _ALL_ADDRESSES else self._settings.host
        return (self._settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}").rstrip("/")

    def may(self, headers: dict[str, str]) -> bool:
        """Whether these headers are of somebody who may see the page."""
        return self._caller(headers) is not None

    def user(self, headers: dict[str, str]) -> str:
        """The user whom a proxy names, from UTF-8 where it is that; empty without one. Guard takes away what no proxy sent."""
        name = self._settings.proxy_user_header
        found = (
            "" if name is None else headers.get(name.lower(), "").strip(" \t")
        )  # a byte of UTF-8 may look like another space
        try:
            return found.encode("latin-1").decode()
        except UnicodeError:
            return found

    def form_token(self, headers: dict[str, str]) -> str:
        """What a form of the page carries, so that no other page can send it. It is the caller's alone, and ends with the process."""
        caller = self._caller(headers)
        return "" if caller is None else hmac.new(self._form_key, caller.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, headers: dict[str, str], given: str) -> bool:
        """Whether a form carries the token that its caller was given."""
        wanted = self.form_token(headers)
        return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())

    def _caller(self, headers: dict[str, str]) -> str | None:
        """Who sends these headers: a proxy's user, the bearer of the token, or a session; None for anybody else."""
        user = self.user(headers)
        if user:
            return f"user {user}"
        if self._token is not None:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            if scheme.lower() == "bearer" and self._is_token(given.strip()):
                return "token"
        found = _digest(_cookie(headers.get("cookie", ""), self.cookie_name))
        return f"session {found}" if self._sessions.get(found, 0.0) > self._clock.monotonic() else None

    def open(self, key: str) -> str | None:
        """A session for a one-time key or the token; None where it is neither. The key is used up."""
        if self._token is not None:
            if not self._is_token(key):
                return None
        elif not self._key or not hmac.compare_digest(key.encode(), self._key.encode()):
            return None
        now = self._clock.monotonic()
        self._sessions = {name: end for name, end in self._sessions.items() if end > now}
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=self._sessions.__getitem__)]
        value = secrets.token_urlsafe(32)
        self._sessions[_digest(value)] = now + self._settings.session_hours * 3600
        return value

    def takes_token(self) -> bool:
        """Whether the page is opened with a token, and not with a link."""
        return self._token is not None

    def host_is_ours(self, host: str) -> bool:
        """Whether the Host header names this page: a name that somebody points at our address (DNS rebinding) does not."""
        name = split_url(f"//{host}").hostname
        if name is None:  # no name of a host, such as an open bracket
            return False
        if self._settings.public_url and name == split_url(self._settings.public_url).hostname:
            return True
        return is_local(name) if self.is_local else self._settings.public_url is None

    def wait_seconds(self, client: str, *, attempt: bool) -> float:
        """Seconds that this client has to wait before its next request; 0 for most."""
        buckets = self._attempts if attempt else self._requests
        now = self._clock.monotonic()
        if len(buckets) > 10_000:
            buckets.clear()
        if client not in buckets:
            rate = (ATTEMPTS_PER_SECOND, ATTEMPTS_AT_ONCE) if attempt else (REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)
            buckets[client] = TokenBucket(*rate, now)
        return buckets[client].take(now)

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(
            _digest(given).encode(), _digest(self._token.get_secret_value()).encode()
        )


class Guard:
    """The application behind its checks: host, rate, session, origin; and the headers of every answer."""

    def __init__(self, app: App, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        peer, *port = scope.get("client") or ("?", 0)
        client, counted = self._access.proxies.seen(peer, scope["headers"])
        scope = {**scope, "client": (client, *port), "headers": counted}
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in counted}
        path = scope["path"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                own = dict(HEADERS)
                own["Cache-Control"] = "no-cache" if path.startswith("/static/") else "no-store"
                message["headers"] = [
                    *message["headers"],
                    *((k.encode(), v.encode()) for k, v in own.items() if k.lower().encode() not in there),
                ]
            await send(message)

        refused = self._refused(scope, headers, path)
        if refused is not None:
            await _plain(with_headers, *refused)
            return
        if scope["method"] == "HEAD":
            await _head_of(self._app, scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)

    def _refused(self, scope: Scope, headers: dict[str, str], path: str) -> tuple[int, str] | None:
        client = (scope.get("client") or ("?",))[0]
        if not self._access.host_is_ours(headers.get("host", "")):
            return 421, "This address is not the desk's: open it by the name in COUNTERPOISE_DESK__PUBLIC_URL."
        if len(scope.get("query_string", b"")) > _MAX_QUERY:
            return 414, "The query of this address is too long."
        if self._access.wait_seconds(client, attempt=False) > 0:
            return 429, "Too many requests: wait a second."
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "The desk answers GET, HEAD and POST."
        if scope["method"] == "HEAD" and path == OPEN_PATH:
            return 405, "A link opens the page with GET: HEAD does not use it up."
        if scope["method"] == "POST" and not self._same_origin(headers):
            return 403, "This request came from another page."
        if path in PUBLIC_PATHS or path.startswith("/static/") or self._access.may(headers):
            return None
        return 401, _HOW_TO_OPEN_WITH_TOKEN if self._access.takes_token() else _HOW_TO_OPEN

    def _same_origin(self, headers: dict[str, str]) -> bool:
        if headers.get("sec-fetch-site") in ("same-origin", "none"):
            return True
        origin = headers.get("origin")
        return origin is not None and split_url(origin).netloc == headers.get("host") != ""


_HOW_TO_OPEN = (
    "This page opens with a link. Type `counterpoise desk --link` where the desk runs, and open what it prints."
)
_HOW_TO_OPEN_WITH_TOKEN = "This page opens with the desk's token: go to /open."  # noqa: S105 - a sentence


async def _head_of(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """The head of the answer to GET, without its body: an answer that does not end, such as a stream of events, ends here."""
    is_sent = asyncio.Event()

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            is_sent.set()

    answer = asyncio.ensure_future(app({**scope, "method": "GET"}, receive, send_head))
    sent = asyncio.ensure_future(is_sent.wait())
    try:
        await asyncio.wait((answer, sent), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            answer.result()
    finally:
        for task in (answer, sent):
            task.cancel()
        await asyncio.gather(answer, sent, return_exceptions=True)


async def _plain(send: Send, status: int, words: str) -> None:
    body = words.encode() + b"\n"
    head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        head.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def key_of(query: bytes) -> str:
    """The key in the query of a one-time link; empty where there is none."""
    return parse_qs(query.decode("latin-1")).get("key", [""])[0]


def _cookie(header: str, name: str) -> str:
    """The value of a cookie; empty without it. Other cookies of this host may have any form.

    >>> _cookie('theme={"dark":1}; lang; a=b c; session=x', "session"), _cookie("xsession=1", "session")
    ('x', '')
    """
    pairs = (part.partition("=") for part in header.split(";"))
    return next((value.strip() for found, _, value in pairs if found.strip() == name), "")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
