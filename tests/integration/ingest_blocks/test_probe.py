"""What `counterpoise doctor` asks of a live source, against servers that speak its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from ingest.blocks.sources.bitcoind import METHODS
from ingest.blocks.sources.block_sources import configured_source
from testkit.bitcoind_server import BitcoindServer
from testkit.fake_chain import FakeChain
from testkit.mempool_server import Fault, MempoolServer


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.mine(3)
    return chain


@pytest.fixture
def node(chain: FakeChain, tmp_path: Path) -> Iterator[BitcoindServer]:
    with BitcoindServer(chain, tmp_path) as server:
        yield server


@pytest.fixture
def instance(chain: FakeChain) -> Iterator[MempoolServer]:
    with MempoolServer(chain) as server:
        yield server


def probe(name: str, url: str, tmp_path: Path, **more: object) -> Probe:
    settings = Settings(state_dir=tmp_path, ingest={"source": name, name: {"url": url, **more}})
    with closing(configured_source(settings, SystemClock())) as source:
        return source.probe()


def test_a_node_gives_its_newest_block_and_says_what_time_it_is(node: BitcoindServer, tmp_path: Path) -> None:
    found = probe("bitcoind", node.url, tmp_path, cookie_file=node.cookie_file)
    assert (found.verdict, found.said) == ("ok", f"bitcoind at {node.url} gives block 3")
    assert found.date


def test_a_missing_cookie_is_a_problem(node: BitcoindServer, tmp_path: Path) -> None:
    found = probe("bitcoind", node.url, tmp_path, cookie_file=tmp_path / "none")
    assert found.verdict == "problem"
    assert f"the cookie file {tmp_path / 'none'} cannot be read" in found.said


def test_refused_credentials_are_a_problem(node: BitcoindServer, tmp_path: Path) -> None:
    found = probe("bitcoind", node.url, tmp_path, user="desk", password="s3cret")
    assert found.verdict == "problem"
    assert "refuses the credentials (401)" in found.said
    assert "rpcauth" in found.said
    assert "s3cret" not in found.said


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_not_allowed_is_a_problem(node: BitcoindServer, tmp_path: Path, method: str) -> None:
    node.allowed_methods = frozenset(METHODS) - {method}
    found = probe("bitcoind", node.url, tmp_path, cookie_file=node.cookie_file)
    assert found.verdict == "problem"
    assert "rpcallowip" in found.said
    assert "rpcwhitelist" in found.said


def test_a_node_of_another_chain_is_a_problem(node: BitcoindServer, tmp_path: Path) -> None:
    node.network = "simnet"
    found = probe("bitcoind", node.url, tmp_path, cookie_file=node.cookie_file)
    assert found.verdict == "problem"
    assert "does not follow bitcoin: its network is 'simnet'" in found.said


def test_a_node_without_a_needed_method_is_a_problem(node: BitcoindServer, tmp_path: Path) -> None:
    node.without_coinbase.add(node.chain.tip.hash)
    found = probe("bitcoind", node.url, tmp_path, cookie_file=node.cookie_file)
    assert found.verdict == "problem"
    assert "block 3 is unusable: no-coinbase" in found.said


def test_a_node_that_still_loads_the_chain_is_a_warning(node: BitcoindServer, tmp_path: Path) -> None:
    node.headers_ahead = 900_000
    found = probe("bitcoind", node.url, tmp_path, cookie_file=node.cookie_file)
    assert found.verdict == "warning"
    assert "3 of 900003 blocks so far" in found.said


def test_an_instance_answers_with_its_height(instance: MempoolServer, tmp_path: Path) -> None:
    found = probe("mempool", instance.url, tmp_path)
    assert (found.verdict, found.said) == ("ok", f"mempool at {instance.url} answers")
    assert instance.paths == {"/api/blocks/tip/height": 1}


@pytest.mark.parametrize(("fault", "status"), [("unavailable", 503), ("not-found", 404)])
def test_an_instance_that_refuses_is_a_problem(
    instance: MempoolServer, fault: Fault, status: int, tmp_path: Path
) -> None:
    instance.fault = fault
    found = probe("mempool", instance.url, tmp_path)
    assert (found.verdict, found.said) == ("problem", f"mempool at {instance.url} answers HTTP {status}")


def test_credentials_in_a_url_are_not_shown(instance: MempoolServer, tmp_path: Path) -> None:
    found = probe("mempool", instance.url.replace("http://", "http://desk:s3cret@"), tmp_path)
    assert found.verdict == "ok"
    assert "s3cret" not in found.said
