"""A small block chain to mine, fork and serve in tests."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from counterpoise.chain.chain_registry import chain_named
from counterpoise.pools.addresses import output_address

GENESIS_PARENT = "0" * 64
FIRST_TIME = 1_700_000_000
SPACING_SECONDS = 600
BITS = 0x1D00FFFF
SUBSIDY_SATS = 312_500_000


@dataclass(frozen=True, slots=True)
class FakeBlock:
    """A block with all that a source serves of it."""

    hash: str
    prev_hash: str
    height: int
    time: int
    bits: int
    coinbase_script: str
    output_scripts: tuple[str, ...]
    fees_sats: int

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the outputs that have one."""
        found = (output_address(bytes.fromhex(script)) for script in self.output_scripts)
        return tuple(address for address in found if address is not None)

    @property
    def coinbase_txid(self) -> str:
        return hashlib.sha256(f"coinbase of {self.hash}".encode()).hexdigest()


class FakeChain:
    """Blocks by hash, and a tip; its genesis block has the hash of `chain`'s and `first_time`. Safe to share between threads."""

    def __init__(
        self,
        *,
        first_height: int = 0,
        tag: bytes = b"/Foundry USA Pool/",
        chain: str = "bitcoin",
        first_time: int = FIRST_TIME,
    ) -> None:
        self._lock = threading.RLock()
        self._blocks: dict[str, FakeBlock] = {}
        self._first_height = first_height
        self._first_time = first_time
        self._tag = tag
        self._genesis_hash = chain_named(chain).genesis_hash
        self._mined = 0
        self._tip: FakeBlock | None = None
        self.mine(1)

    @property
    def tip(self) -> FakeBlock:
        with self._lock:
            if self._tip is None:
                raise LookupError("nothing is mined yet")
            return self._tip

    def get(self, block_hash: str) -> FakeBlock | None:
        """A block of any branch."""
        with self._lock:
            return self._blocks.get(block_hash)

    def at(self, height: int) -> FakeBlock | None:
        """The block of the best chain at a height, or None outside of it."""
        with self._lock:
            block = self._tip
            while block is not None and block.height > height:
                block = self._blocks.get(block.prev_hash)
            return block if block is not None and block.height == height else None

    def best(self) -> list[FakeBlock]:
        """The best chain, lowest first."""
        with self._lock:
            chain: list[FakeBlock] = []
            block = self._tip
            while block is not None:
                chain.append(block)
                block = self._blocks.get(block.prev_hash)
            return chain[::-1]

    def mine(self, blocks: int, *, on: str | None = None, become_tip: bool = True) -> list[FakeBlock]:
        """Mine on the tip, or on the block of that hash. The last becomes the tip unless told otherwise."""
        with self._lock:
            parent = self._tip if on is None else self._blocks[on]
            mined = []
            for _ in range(blocks):
                parent = self._next(parent)
                self._blocks[parent.hash] = parent
                mined.append(parent)
            if become_tip:
                self._tip = parent
            return mined

    def add(self, block: FakeBlock) -> None:
        """Put in a given block, without moving the tip."""
        with self._lock:
            self._blocks[block.hash] = block

    def reorg(self, depth: int, *, longer_by: int = 1) -> list[FakeBlock]:
        """Replace the newest `depth` blocks by a branch that is longer; return the new branch, lowest first."""
        with self._lock:
            fork = self.at(self.tip.height - depth)
            if fork is None:
                raise LookupError(f"the chain is shorter than {depth} blocks")
            return self.mine(depth + longer_by, on=fork.hash)

    def _next(self, parent: FakeBlock | None) -> FakeBlock:
        height = self._first_height if parent is None else parent.height + 1
        prev_hash = (GENESIS_PARENT if not height else "f" * 64) if parent is None else parent.hash
        self._mined += 1
        digest = hashlib.sha256(f"{prev_hash}:{height}:{self._mined}".encode()).digest()
        push = height.to_bytes(3, "little")
        return FakeBlock(
            hash="00000000" + digest.hex()[8:] if height else self._genesis_hash,
            prev_hash=prev_hash,
            height=height,
            time=self._first_time + height * SPACING_SECONDS,
            bits=BITS,
            coinbase_script=(b"\x03" + push + self._tag + digest[:4]).hex(),
            output_scripts=(f"76a914{digest[:20].hex()}88ac", "6a24aa21a9ed" + digest.hex()),
            fees_sats=1_000 + height % 1_000,
        )
