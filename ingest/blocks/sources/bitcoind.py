"""A Bitcoin Core node: JSON-RPC for every fact, ZMQ only to hear sooner that there is one.

A block costs three small calls (`getblock` with transaction ids only, `getblockstats` for the fees, `getrawtransaction` of the
coinbase), many blocks in one HTTP request: tens of kilobytes a block where the full block would be megabytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from counterpoise.errors import CounterpoiseError, DeadLetterError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.settings.section import read_secret
from counterpoise.settings.sections.ingest_sections import BitcoindSettings
from ingest.bad_item import BadItem
from ingest.blocks.sources.block_source import LIVE, BlockBatch, News, Tip
from ingest.blocks.sources.node_identity import identifying_heights, require_chain
from ingest.blocks.sources.parse.bitcoind import from_bitcoind
from ingest.blocks.sources.zmq_listener import ZmqListener
from ingest.http import BoundedHttp, UnauthorisedError

BLOCKS_PER_REQUEST = 8
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_COOKIE_BYTES = 1_024
_NOT_FOUND = -5
_NO_SUCH_HEIGHT = -8
_MISCELLANEOUS = -1
_NO_SUCH_METHOD = -32601
_WRONG_PARAMETERS = -32602
_KEPT_PAYLOAD_BYTES = 64 * 1024
_FORBIDDEN = 403
METHODS: Final = ("getblockchaininfo", "getblockhash", "getblock", "getblockstats", "getrawtransaction")
"""Every method that the source calls: what rpcwhitelist must list."""

_FORBIDDEN_HINT = (
    f"rpcallowip of the node must allow this machine, and rpcwhitelist of the user must list {','.join(METHODS)}"
)

log = structlog.get_logger("ingest")


class RpcError(StaleSourceError):
    """The node answered a call with an error; `code` is its own (-28: still starting)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class NoBodyError(RpcError):
    """The node has the block's header only: it is pruned, or below the snapshot of assumeutxo and not yet downloaded."""


class NodeLoadsError(StaleSourceError):
    """The node answers and still loads the chain: waiting helps."""


class BitcoindSource:
    """Credentials: user and password, or the cookie file, read again when the node refuses it (new at each start)."""

    name = "bitcoind"
    capabilities = LIVE

    def __init__(self, settings: BitcoindSettings, chain: str, clock: Clock) -> None:
        self.poll_seconds = settings.poll_seconds
        self._settings = settings
        self._chain = chain
        self._clock = clock
        self._http = BoundedHttp.of(
            settings, clock=clock, max_bytes=MAX_ANSWER_BYTES, setting="COUNTERPOISE_INGEST__BITCOIND__URL"
        )
        self._password = read_secret(
            settings.password, settings.password_file, "COUNTERPOISE_INGEST__BITCOIND__PASSWORD"
        )
        self._cookie: tuple[str, str] | None = None
        self._is_btcd = False
        self._tip_hash = ""
        self._silent_tips = 0
        endpoints = tuple(url for url in (settings.zmq_hashblock, settings.zmq_sequence) if url)
        self._listener = ZmqListener(endpoints, clock) if endpoints else None

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> BitcoindSource:
        """The node that the settings name."""
        return cls(settings.ingest.bitcoind, settings.ingest.chain, clock)

    def probe(self) -> Probe:
        """Whether the node gives its tip and that block: the calls of the service, with its credentials."""
        try:
            tip = self.tip()
            batch = self._fetch([tip.hash])
        except NodeLoadsError as error:
            return Probe("warning", f"{self.name}: {error}", self._http.last_date)
        except CounterpoiseError as error:
            return Probe("problem", f"{self.name}: {error}", self._http.last_date)
        for item in batch.bad:
            said = f"{self.name} at {self._http.shown}: block {tip.height} is unusable: {item.reason}: {item.detail}"
            return Probe("problem", said, self._http.last_date)
        return Probe("ok", f"{self.name} at {self._http.shown} gives block {tip.height}", self._http.last_date)

    def tip(self) -> Tip:
        """The node's best block; `lowest_height` is where its pruned blocks end.

        StaleSourceError while the node still loads the chain: its best block is then years old and no tip. ConfigError where it is
        a node of another chain; each call asks, because another node may have taken the address meanwhile.
        """
        heights = identifying_heights(self._chain)
        info, *found = self._calls([("getblockchaininfo", []), *(("getblockhash", [height]) for height in heights)])
        if isinstance(info, _Failure):
            self._raise_error(info, "getblockchaininfo")
        network = info.get("chain") if isinstance(info, Mapping) else None
        hashes = {h: answer if isinstance(answer, str) else None for h, answer in zip(heights, found, strict=True)}
        require_chain(self._chain, self._http.shown, network, hashes)
        try:
            if info.get("initialblockdownload") is True and (not info["blocks"] or info["blocks"] < info["headers"]):
                raise NodeLoadsError(
                    f"{self._http.shown} still loads the chain: {info['blocks']} of {info['headers']} blocks so far"
                )
            lowest = int(info.get("pruneheight", 0)) if info.get("pruned") else 0
            tip = Tip(_whole(info["blocks"]), _text(info["bestblockhash"]), lowest)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise StaleSourceError(
                f"{self._http.shown}: getblockchaininfo gave no best block: is it Bitcoin Core?"
            ) from None
        self._watch_zmq(tip)
        return tip

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """Blocks of the node's best chain; it ends sooner where the chain became shorter meanwhile.

        Where the node has no bodies at the beginning of the range, it begins at the first that it has: the prune height moves while
        history is fetched, and a node with assumeutxo lacks what is below its snapshot.
        """
        try:
            yield from self._blocks(from_height, to_height)
        except NoBodyError:
            first = self._first_with_body(from_height, to_height)
            if first == from_height:
                raise
            log.error(
                "the node has no blocks that far back: history starts later",
                wanted_height=from_height,
                first_height=first,
                next_step="fetch them from a node that has them, into a new dataset",
            )
            yield from self._blocks(first, to_height)

    def _first_with_body(self, low: int, high: int) -> int:
        """The lowest height from which the node has every block; `low` where it lacks the highest, too, or has them all.

        RpcError for any other failure: history must not begin later because the node was busy.
        """
        lacking, has = low - 1, high + 1
        while has - lacking > 1:
            middle = (lacking + has) // 2
            [block_hash] = self._calls([("getblockhash", [middle])])
            if _is_above_tip(block_hash):  # the chain became shorter: what is asked for ends below
                high, has = middle - 1, middle
                continue
            if not isinstance(block_hash, str):
                self._raise_error(block_hash, f"getblockhash {middle}")
            [block] = self._calls([("getblock", [block_hash, 1])])
            if _lacks_body(block):
                lacking = middle
            elif isinstance(block, _Failure):
                self._raise_error(block, f"getblock {block_hash}")
            else:
                has = middle
        return has if has <= high else low

    def _blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        for start in range(from_height, to_height + 1, BLOCKS_PER_REQUEST):
            heights = range(start, min(start + BLOCKS_PER_REQUEST, to_height + 1))
            answers = self._calls([("getblockhash", [height]) for height in heights])
            hashes = [answer for answer in answers if isinstance(answer, str)]
            other = next((answer for answer in answers if not isinstance(answer, str)), None)
            if other is not None and not _is_above_tip(other):
                self._raise_error(other, "getblockhash")
            if hashes:
                yield self._fetch(hashes)
            if other is not None:
                return

    def block(self, block_hash: str) -> BlockBatch:
        """A block of any branch that the node has."""
        return self._fetch([block_hash], missing_ok=True)

    def wait(self, seconds: float) -> News:
        """Until ZMQ says something about blocks, or the time is over."""
        if self._listener is None:
            self._clock.sleep(seconds)
            return News()
        return self._listener.wait(seconds)

    def close(self) -> None:
        """Close connections."""
        self._http.close()
        if self._listener is not None:
            self._listener.close()

    def _fetch(self, hashes: Sequence[str], *, missing_ok: bool = False) -> BlockBatch:
        calls: list[tuple[str, list[Any]]] = []
        for block_hash in hashes:
            calls.append(("getblock", [block_hash, 1]))
            calls.append(("getblockstats", [block_hash, ["totalfee"]]))
        answers = self._calls(calls)
        blocks = [answers[2 * i] for i in range(len(hashes))]
        fees = [answers[2 * i + 1] for i in range(len(hashes))]
        for block_hash, block in zip(hashes, blocks, strict=True):
            if isinstance(block, _Failure):
                if missing_ok and block.code == _NOT_FOUND:
                    return BlockBatch()
                if _lacks_body(block):
                    self._raise_no_body(block_hash, block)
                self._raise_error(block, f"getblock {block_hash}")
        coinbases = self._coinbases(hashes, blocks)
        events, bad = [], []
        seen_at_ms = int(self._clock.now() * 1000)
        for block_hash, block, fee, coinbase in zip(hashes, blocks, fees, coinbases, strict=True):
            try:
                total = fee.get("totalfee") if isinstance(fee, Mapping) else None
                events.append(from_bitcoind(block, coinbase, fees_sats=total, chain=self._chain, seen_at_ms=seen_at_ms))
            except DeadLetterError as error:
                payload = json.dumps({"coinbase": coinbase, "block": block}, default=str).encode()
                height = block.get("height") if isinstance(block, Mapping) else None
                bad.append(
                    BadItem(
                        block_hash, error.reason, str(error), payload[:_KEPT_PAYLOAD_BYTES], _height_or_none(height)
                    )
                )
        return BlockBatch(tuple(events), tuple(bad))

    def _coinbases(self, hashes: Sequence[str], blocks: Sequence[Any]) -> list[Any]:
        """The first transaction of each block; with the block's hash the node needs no transaction index."""
        ids = [_first_id(block) for block in blocks]
        wanted = [(i, txid) for i, txid in enumerate(ids) if txid is not None]
        answers = self._raw_transactions([(txid, hashes[i]) for i, txid in wanted])
        found: list[Any] = [None] * len(blocks)
        for (i, _), answer in zip(wanted, answers, strict=True):
            if not isinstance(answer, _Failure):
                found[i] = answer
            elif answer.code in (_NOT_FOUND, _WRONG_PARAMETERS, _NO_SUCH_METHOD):
                # The genesis block's coinbase, which a node gives only inside its block, or btcd without a transaction index.
                whole = self._calls([("getblock", [hashes[i], 2])])[0]
                transactions = whole.get("tx", whole.get("rawtx")) if isinstance(whole, Mapping) else None
                found[i] = transactions[0] if isinstance(transactions, list) and transactions else None
            else:
                self._raise_error(answer, f"getrawtransaction of block {hashes[i]}")
        return found

    def _raw_transactions(self, wanted: Sequence[tuple[str, str]]) -> list[Any]:
        """By id and block; btcd takes no block, and a number for `verbose`."""
        if not self._is_btcd:
            answers = self._calls([("getrawtransaction", [txid, True, block_hash]) for txid, block_hash in wanted])
            if not any(isinstance(answer, _Failure) and answer.code == _WRONG_PARAMETERS for answer in answers):
                return answers
            self._is_btcd = True
            log.info("the node speaks the dialect of btcd: it needs --txindex, or whole blocks are fetched")
        return self._calls([("getrawtransaction", [txid, 1]) for txid, _ in wanted])

    def _watch_zmq(self, tip: Tip) -> None:
        """Report a listener that heard of none of the last blocks: polling finds them, later."""
        if self._listener is None or tip.hash == self._tip_hash:
            return
        heard = self._listener.blocks > 0
        self._listener.blocks = 0
        first, self._tip_hash = not self._tip_hash, tip.hash
        self._silent_tips = 0 if heard or first else self._silent_tips + 1
        if self._silent_tips in (2, 20) or (self._silent_tips and self._silent_tips % 144 == 0):
            log.warning(
                "zmq is silent while polling finds blocks",
                blocks=self._silent_tips,
                height=tip.height,
                next_step="compare COUNTERPOISE_INGEST__BITCOIND__ZMQ_HASHBLOCK with zmqpubhashblock of the node",
            )

    def _raise_no_body(self, block_hash: str, failure: _Failure) -> None:
        """Names from where on the node has blocks, as it is now."""
        try:
            lowest = self.tip().lowest_height
        except StaleSourceError:
            lowest = 0
        has = f": it has blocks from height {lowest} on" if lowest else ""
        raise NoBodyError(
            f"{self._http.shown} has no body of block {block_hash} ({failure.message}){has}: wait until it has downloaded them, "
            "or set COUNTERPOISE_INGEST__BITCOIND__URL to a node that has them",
            failure.code,
        )

    def _raise_error(self, failure: Any, what: str) -> None:
        code = failure.code if isinstance(failure, _Failure) else 0
        message = failure.message if isinstance(failure, _Failure) else f"unexpected answer {str(failure)[:80]!r}"
        raise RpcError(f"{self._http.shown}: {what}: {message} (code {code})", code)

    def _calls(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Results in the order of the calls, a _Failure where one failed."""
        if not calls:
            return []
        payload = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(calls)]
        answer = self._post(payload)
        if isinstance(answer, Mapping):  # an error of the whole request: still starting, too many requests
            self._raise_error(_failure(answer.get("error")), "request")
        results: dict[int, Any] = {}
        if isinstance(answer, list):
            for entry in answer:
                if isinstance(entry, Mapping) and isinstance(entry.get("id"), int):
                    failed = entry.get("error")
                    results[entry["id"]] = entry.get("result") if failed is None else _failure(failed)
        if len(results) < len(calls):
            raise StaleSourceError(
                f"{self._http.shown}: {len(results)} answers to {len(calls)} calls: is it Bitcoin Core?"
            )
        return [results.get(i) for i in range(len(calls))]

    def _post(self, payload: object) -> Any:
        try:
            return self._http.post(payload, self._credentials())
        except UnauthorisedError as error:
            if error.status == _FORBIDDEN:
                raise StaleSourceError(f"{self._http.shown} answers 403: {_FORBIDDEN_HINT}") from None
            if self._settings.cookie_file is None:
                raise StaleSourceError(
                    f"{error}: check COUNTERPOISE_INGEST__BITCOIND__USER and …__PASSWORD against rpcauth of the node"
                ) from None
        self._cookie = None  # the node started again and wrote a new one
        try:
            return self._http.post(payload, self._credentials())
        except UnauthorisedError as error:
            if error.status == _FORBIDDEN:
                raise StaleSourceError(f"{self._http.shown} answers 403: {_FORBIDDEN_HINT}") from None
            raise StaleSourceError(f"{error}: the cookie in {self._settings.cookie_file} is not this node's") from None

    def _credentials(self) -> tuple[str, str] | None:
        settings = self._settings
        if settings.cookie_file is None:
            return (settings.user, self._password.get_secret_value()) if settings.user and self._password else None
        if self._cookie is None:
            self._cookie = _read_cookie(settings.cookie_file)
        return self._cookie


class _Failure:
    """The error of one call among many."""

    def __init__(self, message: str, code: int) -> None:
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} (code {self.code})"


def _is_above_tip(answer: Any) -> bool:
    """Whether a node has no block at this height: Bitcoin Core's code, or btcd's."""
    if not isinstance(answer, _Failure):
        return False
    return answer.code == _NO_SUCH_HEIGHT or (answer.code == _MISCELLANEOUS and "out of range" in answer.message)


def _lacks_body(answer: Any) -> bool:
    """Whether a node has the header only: `Block not available (pruned data)` or `(not fully downloaded)`."""
    return isinstance(answer, _Failure) and answer.code == _MISCELLANEOUS and "not available" in answer.message.lower()


def _failure(error: Any) -> _Failure:
    if isinstance(error, Mapping) and isinstance(error.get("code"), int):
        return _Failure(str(error.get("message", ""))[:200], error["code"])
    return _Failure(str(error)[:200], 0)


def _read_cookie(path: Path) -> tuple[str, str]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_COOKIE_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StaleSourceError(
            f"the cookie file {path} cannot be read ({error}): is the node up, and may this user read it? "
            "See COUNTERPOISE_INGEST__BITCOIND__COOKIE_FILE"
        ) from None
    user, colon, password = text.partition(":")
    if not colon:
        raise StaleSourceError(f"the cookie file {path} holds no user:password")
    return user, password


def _first_id(block: Any) -> str | None:
    ids = block.get("tx") if isinstance(block, Mapping) else None
    return ids[0] if isinstance(ids, list) and ids and isinstance(ids[0], str) else None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0x7FFF_FFFF:
        raise ValueError(value)
    return value


def _height_or_none(value: Any) -> int | None:
    try:
        return _whole(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64:
        raise ValueError(value)
    return value.lower()
