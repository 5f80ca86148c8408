"""POST /v1/releases: check who asks, how much and what; write it to the journal; only then say 202."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr, ValidationError
from starlette.exceptions import HTTPException

from counterpoise.runtime.clock import Clock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import PushSettings
from ingest.releases.journal.entry import entry_of, withdrawal_of
from ingest.releases.journal.release_journal import JournalFullError, ReleaseJournal
from ingest.releases.push.document import Accepted, FieldProblem, Refused, ReleaseDocument
from ingest.releases.push.push_limits import TokenBucket, retry_after
from ingest.releases.push.push_openapi import ANSWERS, SECURITY, document_of
from ingest.releases.release_head import head_problem, time_problem

PATH = "/v1/releases"
_MAX_PROBLEMS = 20
_JOURNAL_RETRY_SECONDS = 5.0

log = structlog.get_logger("market")


class PushRefusedError(Exception):
    """An answer that accepts nothing."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        fields: tuple[FieldProblem, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = Refused(error=error, message=message, fields=fields)
        self.headers = headers or {}


class PushEndpoint:
    """The rules of the endpoint over one journal. Its methods run on the server's event loop."""

    def __init__(
        self,
        settings: PushSettings,
        token: SecretStr,
        journal: ReleaseJournal,
        *,
        clock: Clock,
        status: ServiceStatus,
        catalogue: Catalogue,
    ) -> None:
        self._settings = settings
        self._token_digest = _digest(token.get_secret_value())
        self._journal = journal
        self._clock = clock
        self._status = status
        self.catalogue = catalogue
        self.max_body_bytes = settings.max_body_bytes
        now = clock.monotonic()
        self._known = TokenBucket(settings.requests_per_second, settings.burst_requests, now)
        self._strangers = TokenBucket(settings.requests_per_second, settings.burst_requests, now)

    async def push(self, request: Request) -> JSONResponse:
        """Accept one release, or raise RefusedError."""
        self._admit(request)
        document = self._parse(await self._body(request))
        try:
            release = await asyncio.to_thread(document.release)
        except ValueError as error:
            raise _bad_content((FieldProblem(field="observations", message=str(error)),)) from None
        now_ms = int(self._clock.now() * 1000)
        problem = head_problem(self.catalogue, release.head) or time_problem(release.head, now_ms)
        if problem is not None:
            raise _bad_content((FieldProblem(field=problem.field, message=problem.message),))
        entry = withdrawal_of(release, now_ms) if document.withdrawn else entry_of(release)
        try:
            (new,) = await asyncio.to_thread(self._journal.append, [entry])
        except JournalFullError as error:
            log.error("a pushed release was not accepted", reason=str(error))
            raise PushRefusedError(
                503,
                "journal-full",
                "there is no room for more now; nothing was accepted",
                headers={"Retry-After": retry_after(_JOURNAL_RETRY_SECONDS)},
            ) from None
        crash_point("market-after-accept")
        self._status.count("pushed_releases" if new else "pushed_duplicates")
        accepted = Accepted(
            release_id=release.release_id,
            series=release.head.series,
            chunks=len(entry.events),
            observations=entry.observations,
            duplicate=not new,
        )
        return JSONResponse(accepted.model_dump(mode="json"), status_code=202)

    def _admit(self, request: Request) -> None:
        """Strangers and senders with the token are counted apart: the first cannot use up what the second may do."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_known = scheme.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), self._token_digest)
        wait_seconds = (self._known if is_known else self._strangers).take(self._clock.monotonic())
        if wait_seconds > 0:
            self._status.count("pushes_rate_limited")
            raise PushRefusedError(
                429,
                "too-many-requests",
                f"at most {self._settings.requests_per_second:g} requests per second",
                headers={"Retry-After": retry_after(wait_seconds), "Connection": "close"},
            )
        if not is_known:
            self._status.count("pushes_unauthorised")
            raise PushRefusedError(
                401,
                "unauthorised",
                "send the header Authorization: Bearer <token>",
                headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
            )
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise PushRefusedError(
                415, "not-json", "send the header Content-Type: application/json", headers={"Connection": "close"}
            )
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise PushRefusedError(
                415, "encoded", "send the body without a Content-Encoding", headers={"Connection": "close"}
            )

    async def _body(self, request: Request) -> bytes:
        limit, seconds = self.max_body_bytes, self._settings.body_timeout_seconds
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while len(body) <= limit:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise PushRefusedError(400, "disconnected", "the body ended early")
                    body += message.get("body", b"")
                    if not message.get("more_body", False):
                        break
                else:
                    await self._drain(request, 4 * limit)
        except TimeoutError:
            if len(body) <= limit:
                raise PushRefusedError(
                    408,
                    "too-slow",
                    f"the body did not arrive within {seconds:g} seconds",
                    headers={"Connection": "close"},
                ) from None
        if len(body) > limit:
            raise PushRefusedError(
                413,
                "too-large",
                f"at most {limit} bytes a request: send fewer observations",
                headers={"Connection": "close"},
            )
        return bytes(body)

    async def _drain(self, request: Request, most_bytes: int) -> None:
        """Read on a little: a sender that is still writing when the connection closes may never see the answer."""
        while most_bytes > 0:
            message = await request.receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return
            most_bytes -= len(message.get("body", b""))

    def _parse(self, body: bytes) -> ReleaseDocument:
        try:
            return ReleaseDocument.model_validate_json(body)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
        if problems[0]["type"] == "json_invalid":
            raise PushRefusedError(400, "not-json", f"the body is not JSON: {problems[0]['msg'][:200]}")
        fields = tuple(
            FieldProblem(field=".".join(str(part) for part in p["loc"]) or "(document)", message=p["msg"][:300])
            for p in problems[:_MAX_PROBLEMS]
        )
        raise _bad_content(fields, len(problems))


def make_app(endpoint: PushEndpoint) -> FastAPI:
    """The application: the endpoint, its OpenAPI document at /openapi.json, and every refusal in one shape."""
    app = FastAPI(title="Counterpoise releases", version="1", docs_url=None, redoc_url=None)
    app.add_exception_handler(PushRefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)

    async def push(request: Request) -> JSONResponse:
        """Accept one complete release; it is on disk when the answer is 202."""
        return await endpoint.push(request)

    app.post(
        PATH,
        status_code=202,
        response_model=Accepted,
        responses=ANSWERS,
        summary="Accept one complete release",
        operation_id="push_release",
        openapi_extra=SECURITY,
    )(push)
    app.openapi = partial(document_of, app, endpoint.max_body_bytes, endpoint.catalogue)  # type: ignore[method-assign]
    return app


def _bad_content(fields: tuple[FieldProblem, ...], count: int | None = None) -> PushRefusedError:
    first = fields[0]
    more = (count or len(fields)) - 1
    message = f"{first.field}: {first.message}" + (f" (and {more} more)" if more else "")
    return PushRefusedError(422, "bad-release", message, fields=fields)


async def _refused(_: Request, error: Any) -> JSONResponse:
    return JSONResponse(error.body.model_dump(mode="json"), status_code=error.status, headers=error.headers)


async def _http_error(_: Request, error: Any) -> JSONResponse:
    slug = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
    body = Refused(error=slug, message=f"{error.detail}: releases are sent with POST {PATH}")
    return JSONResponse(body.model_dump(mode="json"), status_code=error.status_code, headers=error.headers)


def _digest(text: str) -> bytes:
    """So that what is compared has one length, whatever was sent."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
