"""A stand-in for the servers that market sources ask, with answers of the documented shapes, and ways to go wrong."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

from counterpoise.urls import split_url

Fault = Literal["unavailable", "too-many", "malformed", "oversized", "slow", "dripping", "not-found", "moved"]
Query = dict[str, list[str]]
Answer = Callable[[str, Query], Any]
"""Path and query to a JSON document, to bytes, or to None for 404."""


class MarketServer:
    """Answers on a free port of loopback; use with `with`.

    `answers` maps the beginning of a path to what is served there; the longest wins. `fault` makes every answer wrong until it is
    None again, `fault_after` lets so many requests pass first; `slow` answers after `slow_seconds`, `dripping` goes on for so long
    and never ends its answer. `paths` counts what was asked for, `sent` what was given whole, `asked_at` holds when (monotonic
    seconds), `headers` what came with it, by lower-case name. Every answer has an ETag of its content, and 304 is given for it.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.fault: Fault | None = None
        self.fault_after = 0
        self.retry_after: str | None = "1"
        self.slow_seconds = 1.0
        self.last_modified: str | None = None
        self.paths: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.asked_at: list[float] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> MarketServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What the sources' URLs begin with."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, path: str, document: Any) -> None:
        """Give one document at this path and below."""
        self.answers[path] = lambda _path, _query: document

    def serve_pypi(self, counts: dict[str, int], last_update: str) -> None:
        """hugovk/top-pypi-packages: `/top-pypi-packages.min.json`."""
        rows = [{"download_count": n, "project": name} for name, n in sorted(counts.items(), key=lambda one: -one[1])]
        query = {"bytes_billed": 0, "bytes_processed": 0, "cached": False, "estimated_cost": "0.0"}
        self.serve("/top-pypi-packages.min.json", {"last_update": last_update, "query": query, "rows": rows})

    def serve_pypistats(self, daily: dict[str, int], first: date, days: int) -> None:
        """pypistats.org: `/api/packages/<name>/overall?mirrors=false`, the same number of downloads each day."""

        def answer(path: str, query: Query) -> Any:
            package = path.split("/")[3]
            if package not in daily or query.get("mirrors") != ["false"]:
                return None
            data = [
                {"category": "without_mirrors", "date": str(first + timedelta(days=n)), "downloads": daily[package]}
                for n in range(days)
            ]
            return {"data": data, "package": package, "type": "overall_downloads"}

        self.answers["/api/packages/"] = answer

    def serve_npm(self, monthly: dict[str, int]) -> None:
        """npm: `/downloads/point/<first>:<last>/<package>`, the same number every month."""

        def answer(path: str, _query: Query) -> Any:
            period, _, package = path.removeprefix("/downloads/point/").partition("/")
            start, _, end = period.partition(":")
            if package not in monthly:
                return None
            return {"downloads": monthly[package], "start": start, "end": end, "package": package}

        self.answers["/downloads/point/"] = answer

    def serve_hub(self, models: list[dict[str, Any]], *, page_size: int = 1_000) -> None:
        """The Hugging Face Hub: `/api/models` with inference_provider=all or filter=<tag>, sorted by downloads, paged by Link."""

        def answer(_path: str, query: Query) -> Any:
            if query.get("inference_provider") == ["all"]:
                found = [m for m in models if m.get("inferenceProviderMapping")]
            else:
                found = [m for m in models if set(query.get("filter", [])) <= set(m["tags"])]
            found = sorted(found, key=lambda m: -m["downloads"])
            start = int(query.get("cursor", ["0"])[0])
            end = start + min(page_size, int(query.get("limit", [str(page_size)])[0]))
            link = {}
            if end < len(found):
                rest = "&".join(f"{k}={v}" for k, vs in query.items() if k != "cursor" for v in vs)
                link = {"Link": f'<{self.url}/api/models?{rest}&cursor={end}>; rel="next"'}
            return WithHeaders(found[start:end], link)

        self.answers["/api/models"] = answer

    def serve_openrouter(self, providers: dict[str, list[str]]) -> None:
        """OpenRouter: `/api/v1/models` and `/api/v1/models/<author>/<slug>/endpoints`; providers by model."""

        def listed(_path: str, _query: Query) -> Any:
            price = {"prompt": "0.0000003", "completion": "0.0000006"}
            return {"data": [{"id": m, "name": m, "created": 1_700_000_000, "pricing": price} for m in providers]}

        def endpoints(path: str, _query: Query) -> Any:
            model = path.removeprefix("/api/v1/models/").removesuffix("/endpoints")
            if model not in providers:
                return None
            offers = [{"name": f"{p} | {model}", "provider_name": p, "status": 0} for p in providers[model]]
            return {"data": {"id": model, "name": model, "endpoints": offers}}

        self.answers["/api/v1/models"] = listed
        self.answers["/api/v1/models/"] = endpoints

    def serve_openrouter_exports(self, text: str, snapshot: date, *, retrieved_at: str, manifest_of: str = "") -> None:
        """OpenRouter: `/api/v1/datasets/exports/rankings-daily/latest.manifest.json` and the dated CSV file that never changes.

        `manifest_of`: another text whose size and checksum the manifest has.
        """
        base, body = "/api/v1/datasets/exports/rankings-daily", text.encode()
        named = (manifest_of or text).encode()
        url = f"https://openrouter.ai{base}/{snapshot}.csv"
        file = {
            "url": url,
            "encoding_format": "text/csv",
            "bytes": len(named),
            "sha256": hashlib.sha256(named).hexdigest(),
        }
        manifest = {
            "dataset": "rankings-daily",
            "schema_version": "v1",
            "snapshot_date": snapshot.isoformat(),
            "retrieved_at": retrieved_at,
            "row_count": text.count("\n") - 1,
            "update_cadence": "daily",
            "license": {"name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"},
            "files": {"csv": file},
        }
        self.serve(f"{base}/latest.manifest.json", manifest)
        self.serve(f"{base}/{snapshot}.csv", body)

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: _Handler) -> None:
        """Serve one request."""
        parts = split_url(request.path)
        path = unquote(parts.path)
        with self._lock:
            self.paths[path] += 1
            self.asked_at.append(time.monotonic())
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            fault = self.fault if self.fault_after <= 0 else None
            self.fault_after -= 1
        if fault is not None:
            self._go_wrong(request, fault)
            return
        best = max((p for p in self.answers if path.startswith(p)), key=len, default=None)
        found = self.answers[best](path, parse_qs(parts.query)) if best is not None else None
        more: dict[str, str] = {}
        if isinstance(found, WithHeaders):
            found, more = found.document, found.headers
        if found is None:
            request.give(404, b'{"error": "not found"}')
            return
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        tag = f'"{hash(body) & 0xFFFF_FFFF_FFFF:x}"'
        more["ETag"] = tag
        if self.last_modified is not None:
            more["Last-Modified"] = self.last_modified
        if request.headers.get("If-None-Match") == tag:
            request.give(304, b"", more)
        else:
            self.sent[path] += 1
            request.give(200, body, more)

    def _go_wrong(self, request: _Handler, fault: Fault) -> None:
        match fault:
            case "unavailable":
                request.give(503, b"busy")
            case "too-many":
                request.give(429, b"slow down", {"Retry-After": self.retry_after} if self.retry_after else {})
            case "malformed":
                request.give(200, b'{"rows": [')
            case "oversized":
                request.give(200, b"[" + b"0," * 4_000_000 + b"0]")
            case "slow":
                self._closing.wait(self.slow_seconds)
                request.give(200, b"{}")
            case "dripping":
                request.drip(self.slow_seconds, self._closing)
            case "not-found":
                request.give(404, b"{}")
            case "moved":
                request.give(301, b"", {"Location": "https://elsewhere.example/new"})


class WithHeaders:
    """A document with headers of its own."""

    def __init__(self, document: Any, headers: dict[str, str]) -> None:
        self.document = document
        self.headers = headers


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], market: MarketServer) -> None:
        self.market = market
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an acknowledgement

    def do_GET(self) -> None:
        self.server.market.answer(self)

    def give(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer; a client that left is no news."""
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def drip(self, seconds: float, closing: threading.Event) -> None:
        """Begin an answer and go on with it, a byte at a time, for so long."""
        try:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self.wfile.write(b" ")
                if closing.wait(0.02):
                    break
        except ConnectionError:
            pass
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Requests are counted, not logged."""
