"""Who may use the desk: a session from a one-time link, or a token. Foreign pages are refused; every answer has safe headers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_SECONDS: Final = 12 * 3600.0
MAX_SESSIONS: Final = 1_000
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
KEY: Final = "key"

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of an answer that has none of that name."""


class Access:
    """Sessions, one-time keys and the token of one desk. Safe to share between threads. Times are of `monotonic`."""

    def __init__(self, token: str, monotonic: Callable[[], float], new_key: Callable[[str], None]) -> None:
        """`new_key` receives each one-time key; the one before is worthless then."""
        self._token = _digest(token)
        self._monotonic = monotonic
        self._new_key = new_key
        self._lock = threading.Lock()
        self._sessions: dict[bytes, float] = {}
        self._key = b""
        self.offer_key()

    def offer_key(self) -> None:
        """Make the next one-time key."""
        key = secrets.token_urlsafe(32)
        self._key = _digest(key)
        self._new_key(key)

    def open_session(self, key: str) -> str | None:
        """A new session for the one-time key; None for any other text. The key is used up."""
        with self._lock:
            if not hmac.compare_digest(_digest(key), self._key):
                return None
            now = self._monotonic()
            self._sessions = {name: end for name, end in self._sessions.items() if end > now}
            if len(self._sessions) >= MAX_SESSIONS:
                self._sessions.pop(min(self._sessions, key=lambda name: self._sessions[name]))
            session = secrets.token_urlsafe(32)
            self._sessions[_digest(session)] = now + SESSION_SECONDS
            self.offer_key()
        return session

    def knows(self, session: str) -> bool:
        """Whether the session is open."""
        with self._lock:
            return self._sessions.get(_digest(session), 0.0) > self._monotonic()

    def has_token(self, authorization: str) -> bool:
        """Whether an Authorization header carries the token."""
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), self._token)


class AccessMiddleware:
    """Lets a request through to `app`, or answers it."""

    def __init__(self, app: ASGIApp, access: Access, *, on_loopback: bool, secure: bool) -> None:
        """`on_loopback`: only requests for a loopback name are answered. `secure`: the cookie is for HTTPS only."""
        self._app = app
        self._access = access
        self._on_loopback = on_loopback
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sending = _with_headers(send)
        answer = self._answer(scope)
        await (self._app if answer is None else answer)(scope, receive, sending)

    def _answer(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._on_loopback and not _is_loopback_name(headers.get("host", "")):
            return _refused(403, "foreign-host", "the desk answers requests for a loopback name only")
        if scope["method"] not in ("GET", "HEAD") and _is_foreign(headers):
            return _refused(403, "foreign-page", "a page of another site sent this request")
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        cookie = f"counterpoise_session_{(scope.get('server') or ('', 0))[1]}"
        if KEY in query and scope["method"] == "GET" and scope["path"] == "/":
            session = self._access.open_session(query[KEY][0])
            if session is not None:
                rest = urlencode([(name, one) for name, many in query.items() if name != KEY for one in many])
                answer = RedirectResponse("./" + (f"?{rest}" if rest else ""), 303)
                answer.set_cookie(
                    cookie,
                    session,
                    max_age=int(SESSION_SECONDS),
                    httponly=True,
                    samesite="lax",
                    secure=self._secure,
                    path="/",
                )
                return answer
        session_known = self._access.knows(_cookie(headers.get("cookie", ""), cookie))
        if session_known or self._access.has_token(headers.get("authorization", "")):
            return None
        message = "open the one-time link that `counterpoise desk --link` prints, or send the header Authorization: Bearer <token>"
        return _refused(401, "unauthorised", message, {"WWW-Authenticate": "Bearer"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _is_loopback_name(host: str) -> bool:
    try:
        return urlsplit("//" + host).hostname in LOOPBACK_NAMES
    except ValueError:
        return False


def _is_foreign(headers: Headers) -> bool:
    """Whether a page of another site sent the request, by the browser's headers."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _refused(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": error, "message": message}, status, headers)


def _digest(text: str) -> bytes:
    """So that what is compared and kept has one length and reveals nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
