"""A real btcd on the simulation network: blocks on demand, and peers that are joined and parted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

from counterpoise.pools.base58 import base58check_encode
from testkit.ports import reserved_port

VARIABLE: Final = "COUNTERPOISE_TEST_BTCD"
VERSION: Final = "0.26.2"
"""What `make test-btcd` builds, and what docs/verified.md states."""
USER, PASSWORD = "desk", "simnet"  # of a node on loopback that lives as long as a test
_SIMNET_KEY_HASH: Final = 0x3F
_START_SECONDS: Final = 60.0


def btcd_binary() -> str | None:
    """The path of btcd: what the variable names, or what is on the PATH; None where there is none."""
    return os.environ.get(VARIABLE) or shutil.which("btcd")


def require_version(binary: str) -> None:
    """AssertionError where a binary does not state VERSION: docs/verified.md would say what no test met."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    if re.search(rf"\b{re.escape(VERSION)}\b", said) is None:
        raise AssertionError(f"{binary} --version says {said!r}: expected btcd {VERSION}, see `make test-btcd`")


class BtcdNode:
    """Use with `with`. `number` (1 to 255) makes the address that its blocks pay, so that two nodes never make the same block."""

    def __init__(self, binary: str, folder: Path, number: int, *options: str) -> None:
        rpc, self._peer_port = reserved_port(), reserved_port()
        self.url = f"http://127.0.0.1:{rpc}"
        self.address = base58check_encode(bytes([_SIMNET_KEY_HASH, *([number] * 20)]))
        folder.mkdir()
        self._log = (folder / "out").open("wb")
        self._process = subprocess.Popen(
            [
                *(binary, "--simnet", "--notls", f"--rpcuser={USER}", f"--rpcpass={PASSWORD}"),
                *(f"--rpclisten=127.0.0.1:{rpc}", f"--listen=127.0.0.1:{self._peer_port}", f"--datadir={folder}"),
                *(
                    f"--logdir={folder}",
                    f"--configfile={folder / 'none.conf'}",
                    f"--miningaddr={self.address}",
                    *options,
                ),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_it_answers(folder / "out")

    def __enter__(self) -> BtcdNode:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def peer(self) -> str:
        """For the other node's `join`."""
        return f"127.0.0.1:{self._peer_port}"

    def call(self, method: str, *parameters: Any) -> Any:
        """The result of one call; RuntimeError with the node's own error."""
        body = json.dumps({"jsonrpc": "1.0", "id": 0, "method": method, "params": parameters}).encode()
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(self.url, body, {"Authorization": f"Basic {login}"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            found = json.load(answer)
        if found["error"] is not None:
            raise RuntimeError(f"{method}: {found['error']}")
        return found["result"]

    def mine(self, blocks: int) -> list[str]:
        """Hashes of new blocks at the tip, lowest first."""
        found: list[str] = self.call("generate", blocks)
        return found

    def best_chain(self) -> list[str]:
        """Hashes by height, the genesis block first."""
        return [self.call("getblockhash", height) for height in range(self.call("getblockcount") + 1)]

    def join(self, peer: str) -> None:
        """Exchange blocks with another node."""
        self.call("node", "connect", peer, "temp")  # a permanent peer is connected to again 5 s after it was removed

    def part(self, peer: str) -> None:
        """Stop doing so."""
        self.call("node", "disconnect", peer)

    def _wait_until_it_answers(self, out: Path) -> None:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.call("getblockcount")
                return
            except (OSError, urllib.error.URLError) as error:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.__exit__()
                    raise RuntimeError(f"btcd did not start: {out.read_text(errors='replace')[-500:]}") from error
                time.sleep(0.05)
