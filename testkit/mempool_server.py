"""A stand-in for a mempool instance: the parts of its REST API and WebSocket that ingest uses, and ways to go wrong."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Literal

from websockets.datastructures import Headers
from websockets.exceptions import WebSocketException
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from testkit.fake_chain import FakeBlock, FakeChain

BLOCKS_PER_PAGE = 15
OVERSIZED_BYTES = 10 * 1024 * 1024
Fault = Literal["unavailable", "too-many", "malformed", "oversized", "slow", "not-found"]


class MempoolServer:
    """Serves a FakeChain on a free port of loopback, REST and WebSocket on the same; use with `with`.

    `fault` makes every REST answer wrong until it is None again; with `too-many` the answer is 429 with Retry-After of
    `retry_after` seconds. `replace` maps a block hash to the JSON to serve in place of the block. `paths` counts what was asked for,
    `asked_at` holds when (monotonic seconds).
    """

    def __init__(self, chain: FakeChain) -> None:
        self.chain = chain
        self.fault: Fault | None = None
        self.retry_after = "1"
        self.slow_seconds = 1.0
        self._closing = threading.Event()
        self.replace: dict[str, Any] = {}
        self.paths: Counter[str] = Counter()
        self.asked_at: list[float] = []
        self.wanted: list[Any] = []
        self.refuse_sockets = False
        self._sockets: set[ServerConnection] = set()
        self._joined = threading.Condition()
        self._server: Server = serve(
            self._serve_socket, "127.0.0.1", 0, process_request=self._process, ping_interval=None
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> MempoolServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """For the source's `url`."""
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def wait_for_listener(self, timeout_seconds: float = 10.0) -> None:
        """Return when somebody asked for blocks on the WebSocket."""
        with self._joined:
            if not self._joined.wait_for(lambda: bool(self._sockets), timeout_seconds):
                raise TimeoutError("nobody listens on the WebSocket")

    def announce(self, block: FakeBlock) -> None:
        """Push a new block to every listener."""
        self.push(json.dumps({"block": self.shown(block), "mempool-blocks": []}))

    def push(self, text: str) -> None:
        """Push any text to every listener."""
        with self._joined:
            sockets = tuple(self._sockets)
        for socket in sockets:
            with suppress(WebSocketException, OSError):
                socket.send(text)

    def drop_sockets(self) -> None:
        """Cut every WebSocket without a goodbye."""
        with self._joined:
            sockets, self._sockets = tuple(self._sockets), set()
        for socket in sockets:
            with suppress(OSError):  # the listener may have left by itself
                socket.socket.shutdown(2)

    def shown(self, block: FakeBlock) -> Any:
        """A block as the API shows it."""
        if block.hash in self.replace:
            return self.replace[block.hash]
        addresses = list(block.addresses)
        return {
            "id": block.hash,
            "height": block.height,
            "version": 0x20000000,
            "timestamp": block.time,
            "bits": block.bits,
            "nonce": 0,
            "difficulty": 1,
            "merkle_root": block.coinbase_txid,
            "tx_count": 1,
            "size": 300,
            "weight": 1_200,
            "previousblockhash": block.prev_hash,
            "mediantime": block.time,
            "stale": False,
            "extras": {
                "reward": block.fees_sats,
                "coinbaseRaw": block.coinbase_script,
                "orphans": [],
                "totalFees": block.fees_sats,
                "coinbaseAddress": addresses[0] if addresses else None,
                "coinbaseAddresses": addresses,
                "matchRate": 100 - block.height % 10,
                "similarity": 0.99,
                "expectedFees": block.fees_sats + 10,
                "expectedWeight": 1_200,
                "pool": {"id": 111, "name": "Foundry USA", "slug": "foundryusa", "minerNames": None},
            },
        }

    def close(self) -> None:
        """Stop serving."""
        self.drop_sockets()
        self._closing.set()
        self._server.shutdown()

    def _serve_socket(self, connection: ServerConnection) -> None:
        try:
            for text in connection:
                message = json.loads(text)
                self.wanted.append(message)
                if message.get("action") == "want" and "blocks" in message.get("data", ()):
                    connection.send(json.dumps({"blocks": [self.shown(b) for b in self.chain.best()[-8:]]}))
                    with self._joined:
                        self._sockets.add(connection)
                        self._joined.notify_all()
        except (WebSocketException, OSError):
            pass
        finally:
            with self._joined:
                self._sockets.discard(connection)

    def _process(self, _connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/api/v1/ws":
            return _response(502, b"") if self.refuse_sockets else None
        self.paths[request.path] += 1
        self.asked_at.append(time.monotonic())
        match self.fault:
            case "unavailable":
                return _response(503, b"")
            case "too-many":
                return _response(429, b"", {"Retry-After": self.retry_after})
            case "malformed":
                return _response(200, b'[{"id": "0000')
            case "oversized":
                return _response(200, b" " * OVERSIZED_BYTES)
            case "not-found":
                return _response(404, b"not found")
            case "slow":
                self._closing.wait(self.slow_seconds)
        answer = self._rest(request.path)
        return _response(404, b"Block not found") if answer is None else _response(200, json.dumps(answer).encode())

    def _rest(self, path: str) -> Any:
        match path.removeprefix("/api/").split("/"):
            case ["v1", "blocks"]:
                return self._page(self.chain.tip.height)
            case ["v1", "blocks", height]:
                return self._page(int(height))
            case ["v1", "block", block_hash]:
                block = self.chain.get(block_hash)
                return None if block is None else self.shown(block)
            case ["blocks", "tip", "height"]:
                return self.chain.tip.height
        return None

    def _page(self, top: int) -> list[Any]:
        blocks = [block for block in self.chain.best() if top - BLOCKS_PER_PAGE < block.height <= top]
        return [self.shown(block) for block in reversed(blocks)]


def _response(status: int, body: bytes, more: dict[str, str] | None = None) -> Response:
    headers = Headers(
        {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"} | (more or {})
    )
    return Response(status, "", headers, body)
