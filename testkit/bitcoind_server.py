"""A stand-in for a Bitcoin Core node: its JSON-RPC over HTTP and its ZMQ, with the shapes of the real ones, and ways to go wrong."""

from __future__ import annotations

import base64
import json
import secrets
import struct
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import zmq

from counterpoise.pools.addresses import output_address
from testkit.fake_chain import SUBSIDY_SATS, FakeBlock, FakeChain

Fault = Literal["unavailable", "malformed", "oversized", "slow", "starting", "cut"]
OVERSIZED_BYTES = 40 * 1024 * 1024


class BitcoindServer:
    """Serves a FakeChain on free ports of loopback; use with `with`.

    `fault` makes every answer wrong until it is None again: 503, half a JSON text, forty megabytes, `slow_seconds` of silence, the
    node's own "still starting" (-28), or a connection cut after the request. `rotate_cookie` is what a restart of the node does.
    `replace` maps a block hash to the JSON to serve in place of its `getblock`, and `failing` to an error. Of the blocks in
    `without_coinbase` the head is given and no transaction. With `headers_ahead` it is still loading the chain. `network` and
    `hash_at` (by height) make it a node of another chain. With `dialect` btcd it answers as btcd does (recorded from v0.26.2):
    `getrawtransaction` of two arguments, which needs `has_transaction_index`, `rawtx` in whole blocks, no `getblockstats`, and code
    −1 above the tip. Below `snapshot_height` it has headers only, as a node with assumeutxo. A call outside `allowed_methods` is
    answered 403, as rpcwhitelist does. `calls` counts methods.
    """

    def __init__(self, chain: FakeChain, directory: Path) -> None:
        self.chain = chain
        self.cookie_file = directory / ".cookie"
        self.rotate_cookie()
        self.user_password: tuple[str, str] | None = None
        self.fault: Fault | None = None
        self.slow_seconds = 1.0
        self.closing = threading.Event()
        self.prune_height: int | None = None
        self.snapshot_height = 0
        self.dialect: Literal["core", "btcd"] = "core"
        self.has_transaction_index = True
        self.headers_ahead = 0
        self.network = "main"
        self.hash_at: dict[int, str] = {}
        self.allowed_methods: frozenset[str] | None = None
        self.replace: dict[str, Any] = {}
        self.failing: dict[str, tuple[str, int]] = {}
        self.without_coinbase: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.requests = 0
        self.largest_answer_bytes = 0
        self._http = _Http(("127.0.0.1", 0), self)
        self._context = zmq.Context(io_threads=1)
        self._publisher = self._context.socket(zmq.PUB)
        self._publisher.setsockopt(zmq.LINGER, 0)
        self._zmq_port = self._publisher.bind_to_random_port("tcp://127.0.0.1")
        self._numbers: Counter[bytes] = Counter()
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> BitcoindServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """For the source's `url`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def zmq_url(self) -> str:
        """For the source's `zmq_hashblock` and `zmq_sequence`."""
        return f"tcp://127.0.0.1:{self._zmq_port}"

    def rotate_cookie(self) -> None:
        """Write a new cookie; the old one is refused from now on."""
        self.cookie = f"__cookie__:{secrets.token_hex(16)}"
        self.cookie_file.write_text(self.cookie, encoding="utf-8")

    def announce(self, block_hash: str, *, connected: bool = True, lose: int = 0) -> None:
        """Publish a block on `hashblock` and `sequence`; `lose` messages of each are counted and never sent."""
        body = bytes.fromhex(block_hash)
        if connected:
            self._publish(b"hashblock", body, lose)
        self._publish(b"sequence", body + (b"C" if connected else b"D"), lose)

    def announce_transaction(self) -> None:
        """Publish what a node says most of the time."""
        self._publish(b"sequence", secrets.token_bytes(32) + b"A" + struct.pack("<Q", 1), 0)

    def close(self) -> None:
        """Stop serving."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._publisher.close()
        self._context.term()

    def _publish(self, topic: bytes, body: bytes, lose: int) -> None:
        self._numbers[topic] += lose
        self._publisher.send_multipart([topic, body, struct.pack("<I", self._numbers[topic])])
        self._numbers[topic] += 1

    def authorised(self, header: str | None) -> bool:
        """Whether the credentials are the current ones."""
        expected = ":".join(self.user_password) if self.user_password else self.cookie
        return header == "Basic " + base64.b64encode(expected.encode()).decode()

    def answer(self, call: Any) -> dict[str, Any]:
        """One call of a batch."""
        method, params = call["method"], call["params"]
        self.calls[method] += 1
        try:
            result = _METHODS[method](self, *params)
        except _RpcError as error:
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": error.code, "message": str(error)}}
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}

    def _chain_info(self) -> dict[str, Any]:
        tip = self.chain.tip
        info: dict[str, Any] = {
            "chain": self.network,
            "blocks": tip.height,
            "headers": tip.height + self.headers_ahead,
            "bestblockhash": tip.hash,
            "difficulty": 1.0,
            "time": tip.time,
            "initialblockdownload": self.headers_ahead > 0,
            "pruned": self.prune_height is not None,
            "warnings": [],
        }
        if self.prune_height is not None:
            info["pruneheight"] = self.prune_height
        return info

    def _block_hash(self, height: int) -> str:
        if height in self.hash_at:
            return self.hash_at[height]
        block = self.chain.at(height)
        if block is None and self.dialect == "btcd":
            raise _RpcError("Block number out of range", -1)
        if block is None:
            raise _RpcError("Block height out of range", -8)
        return block.hash

    def _block(self, block_hash: str, verbosity: int) -> Any:
        block = self._find(block_hash)
        if block_hash in self.replace:
            return self.replace[block_hash]
        if block_hash in self.failing:
            raise _RpcError(*self.failing[block_hash])
        if self.prune_height is not None and block.height < self.prune_height:
            raise _RpcError("Block not available (pruned data)", -1)
        if block.height < self.snapshot_height:
            raise _RpcError("Block not available (not fully downloaded)", -1)
        if block_hash in self.without_coinbase and verbosity > 1:
            raise _RpcError("Block not available (not fully downloaded)", -1)
        shown = {
            "hash": block.hash,
            "confirmations": self.chain.tip.height - block.height + 1,
            "height": block.height,
            "version": 0x20000000,
            "versionHex": "20000000",
            "merkleroot": block.coinbase_txid,
            "time": block.time,
            "mediantime": block.time,
            "nonce": 0,
            "bits": f"{block.bits:08x}",
            "difficulty": 1.0,
            "chainwork": f"{block.height + 1:064x}",
            "nTx": 1,
            "size": 300,
            "weight": 1_200,
            "previousblockhash": block.prev_hash,
            "tx": [block.coinbase_txid] if verbosity == 1 else [_coinbase(block)],
        }
        if block.height == 0:
            del shown["previousblockhash"]
        if self.dialect == "btcd" and verbosity > 1:
            shown["rawtx"] = shown.pop("tx")
        return shown

    def _block_stats(self, block_hash: str, names: list[str]) -> dict[str, int]:
        if self.dialect == "btcd":
            raise _RpcError("Method not found", -32601)
        block = self._find(block_hash)
        if block.height == 0:
            raise _RpcError("Can't read undo data from disk", -32603)
        return {"totalfee": block.fees_sats} if "totalfee" in names else {}

    def _raw_transaction(self, txid: str, verbose: bool | int, block_hash: str | None = None) -> dict[str, Any]:
        if self.dialect == "btcd":
            return self._btcd_transaction(txid, verbose, block_hash)
        block = self._find(str(block_hash))
        if block.height == 0:
            raise _RpcError(
                "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved", -5
            )
        if txid != block.coinbase_txid or block_hash in self.without_coinbase:
            raise _RpcError("No such transaction found in the provided block", -5)
        return _coinbase(block)

    def _btcd_transaction(self, txid: str, verbose: bool | int, block_hash: str | None) -> dict[str, Any]:
        if block_hash is not None:
            raise _RpcError("wrong number of params (expected between 1 and 2, received 3)", -32602)
        if isinstance(verbose, bool):
            raise _RpcError("parameter #2 'verbose' must be type int (got bool)", -32602)
        if not self.has_transaction_index:
            raise _RpcError("The transaction index must be enabled to query the blockchain (specify --txindex)", -5)
        for block in self.chain.best():
            if block.coinbase_txid == txid:
                return _coinbase(block)
        raise _RpcError("No information available about transaction", -5)

    def _find(self, block_hash: str) -> FakeBlock:
        block = self.chain.get(block_hash)
        if block is None:
            raise _RpcError("Block not found", -5)
        return block


_METHODS: dict[str, Any] = {
    "getblockchaininfo": BitcoindServer._chain_info,
    "getblockhash": BitcoindServer._block_hash,
    "getblock": BitcoindServer._block,
    "getblockstats": BitcoindServer._block_stats,
    "getrawtransaction": BitcoindServer._raw_transaction,
}


class _RpcError(Exception):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def _coinbase(block: FakeBlock) -> dict[str, Any]:
    outputs = []
    for number, script in enumerate(block.output_scripts):
        shown: dict[str, Any] = {"asm": "", "desc": "", "hex": script, "type": "nulldata"}
        address = output_address(bytes.fromhex(script))
        if address is not None:
            shown |= {"address": address, "type": "pubkeyhash"}
        value = (SUBSIDY_SATS + block.fees_sats) / 1e8 if number == 0 else 0.0
        outputs.append({"value": value, "n": number, "scriptPubKey": shown})
    return {
        "txid": block.coinbase_txid,
        "hash": block.coinbase_txid,
        "vin": [{"coinbase": block.coinbase_script, "sequence": 0xFFFF_FFFF}],
        "vout": outputs,
    }


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], node: BitcoindServer) -> None:
        self.node = node
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an acknowledgement

    def do_POST(self) -> None:
        node = self.server.node
        node.requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match node.fault:
            case "unavailable":
                self._send(503, b"Work queue depth exceeded")
                return
            case "cut":
                self.close_connection = True
                return
            case "malformed":
                self._send(200, b'[{"id": 0, "result": {"blocks"')
                return
            case "oversized":
                self._send(200, b" " * OVERSIZED_BYTES)
                return
            case "starting":
                error = {"code": -28, "message": "Loading block index..."}
                self._send(500, json.dumps({"result": None, "error": error, "id": None}).encode())
                return
            case "slow":
                node.closing.wait(node.slow_seconds)
        if not node.authorised(self.headers.get("Authorization")):
            self._send(401, b"")
            return
        payload = json.loads(body)
        asked = {call["method"] for call in (payload if isinstance(payload, list) else [payload])}
        if node.allowed_methods is not None and not asked <= node.allowed_methods:
            self._send(403, b"")
            return
        answer = [node.answer(call) for call in payload] if isinstance(payload, list) else node.answer(payload)
        self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.server.node.largest_answer_bytes = max(self.server.node.largest_answer_bytes, len(body))
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the client had enough
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Tests do not want it."""
