"""A live chain of made-up blocks, dated now, served by stand-ins for Bitcoin Core nodes: one chain a node, so that two may differ."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from testkit.bitcoind_server import BitcoindServer
from testkit.fake_chain import FakeBlock, FakeChain

FIRST = 900_000
EVEN = (
    "Foundry USA Pool",
    "/ViaBTC/",
    "F2Pool",
    "SpiderPool",
    "Foundry USA Pool",
    "/ViaBTC/",
    "OCEAN.XYZ",
    "WhitePool",
)
"""Of eight blocks the top four have six: in a full window of 1008, 126 times this, exactly 75 %, which is not above 75 %."""

FOUNDRY = ("Foundry USA Pool",)
OTHERS = ("MARA Pool", "SBI Crypto", "/LUXOR/", "/solo.ckpool.org/", "SECPOOL")
"""Pools that are not among the four, and too many to get among them."""

EVEN_BLOCKS = 1_104
"""138 times EVEN: the window is full for the last 97 of them."""

CROSSES_AT, FIRES_AT = FIRST + EVEN_BLOCKS + 2, FIRST + EVEN_BLOCKS + 38
"""By hand, when Foundry mines all blocks from then on. Its first block replaces one of its own, its second one of ViaBTC's, which
leaves the sum as it is; the third replaces one of F2Pool's, in whose place stands another pool with as many: 757 of 1008. The sum
never falls again while Foundry mines, and the rule fires 36 blocks later."""

SPACING_SECONDS = 600
TIP_AGE_SECONDS = 3_600


class LiveChain(FakeChain):
    """Blocks whose times end an hour ago for the first `history` of them, and go on by a second each after that."""

    def __init__(self, history: int, *, salt: int = 0) -> None:
        self._tags: Sequence[str] = EVEN
        self._history = history
        self._last_history_time = int(time.time()) - TIP_AGE_SECONDS
        super().__init__(first_height=FIRST)
        self._mined += salt

    def mine_by(self, tags: Sequence[str], blocks: int) -> list[FakeBlock]:
        """Mine on the tip, the pools taking turns."""
        self._tags = tags
        return self.mine(blocks)

    def adopt(self, other: LiveChain) -> None:
        """See what the other node sees, and take its best chain for the best."""
        for block in other.best():
            self.add(block)
        with self._lock:
            self._tip = other.tip

    def _next(self, parent: FakeBlock | None) -> FakeBlock:
        block = super()._next(parent)
        past = block.height - FIRST - self._history + 1
        at = self._last_history_time + (past if past > 0 else past * SPACING_SECONDS)
        tag = self._tags[block.height % len(self._tags)].encode()
        script = b"\x03" + block.height.to_bytes(3, "little") + tag + bytes.fromhex(block.hash[-8:])
        return replace(block, time=at, coinbase_script=script.hex())


def node_settings(node: BitcoindServer) -> dict[str, str]:
    """An ingester that follows this node, from its first block on."""
    return {
        "COUNTERPOISE_INGEST__SOURCE": "bitcoind",
        "COUNTERPOISE_INGEST__HISTORY_BLOCKS": str(node.chain.tip.height - FIRST + 1),
        "COUNTERPOISE_INGEST__BITCOIND__URL": node.url,
        "COUNTERPOISE_INGEST__BITCOIND__COOKIE_FILE": str(node.cookie_file),
        "COUNTERPOISE_INGEST__BITCOIND__POLL_SECONDS": "0.2",
    }


def serve(chain: LiveChain, directory: Path) -> BitcoindServer:
    """A node with this chain, and only this chain."""
    directory.mkdir(parents=True, exist_ok=True)
    return BitcoindServer(chain, directory)
