"""What `counterpoise doctor` asks of a live source, against servers that speak its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
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


def probe(name: str, url: str, tmp_path: Path) -> Probe:
    settings = Settings(state_dir=tmp_path, ingest={"source": name, name: {"url": url}})
    with closing(configured_source(settings, SystemClock())) as source:
        return source.probe()


def test_a_node_answers_without_credentials_and_says_what_time_it_is(node: BitcoindServer, tmp_path: Path) -> None:
    found = probe("bitcoind", node.url, tmp_path)
    assert (found.verdict, found.said) == ("ok", f"bitcoind at {node.url} answers")
    assert found.date


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
