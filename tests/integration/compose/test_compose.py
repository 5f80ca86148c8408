"""docker-compose.yml runs as it is: each service in namespaces of its own, on Apache Kafka and the embedded ClickHouse.

What stands in for Docker is in `machine.py` and `container.py`. The world is a Bitcoin node and Slack on the machine itself.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.settings.endpoints import ClickHouseTarget
from testkit.apache_kafka import ApacheKafkaUnavailableError, fetch_jars
from testkit.bitcoind_server import BitcoindServer
from testkit.fake_chain import SPACING_SECONDS, FakeChain
from testkit.slack_server import CHANNEL, TOKEN, SlackServer
from tests.engines import kafka_engine
from tests.integration.compose.compose_file import ROOT
from tests.integration.compose.container import Container
from tests.integration.compose.machine import GATEWAY, Machine
from tests.namespaces import new_network, why_no_namespaces
from tests.waiting import wait_for

VERIFIES = [
    ("Apache Kafka", "4.4.0", "real", "docker-compose.yml in namespaces, with every service killed; `make test-kafka`"),
]
PROGRAMS = ("ip", "nsenter", "setpriv", "unshare", "wget")
pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(kafka_engine() != "apache", reason="compose runs on Apache Kafka: make test-kafka"),
    pytest.mark.skipif(bool(why_no_namespaces(*PROGRAMS)), reason=why_no_namespaces(*PROGRAMS)),
]
OURS = ("ingest", "market", "streams", "alerts", "desk")
FIRST_BLOCKS, LIVE_BLOCKS, FIRES_AT = 1_030, 20, 1_043
"""All by one pool. The shipped rule on a week of 1,008 blocks fires 36 blocks after the first full week, among the live ones."""
FIRED_SECONDS_AGO = 9_000
"""What fired over three hours ago is history and not sent."""
PASSWORD = "node-password"


def project(folder: Path, slack: SlackServer) -> Path:
    """A folder as the first lines of docker-compose.yml have it made."""
    (folder / "deploy" / "secrets").mkdir(parents=True)
    (folder / "deploy" / "clickhouse").symlink_to(ROOT / "deploy" / "clickhouse")
    (folder / "sql").symlink_to(ROOT / "sql")
    written = {"desk_token": secrets.token_hex(32), "slack_token": TOKEN}
    names = re.findall(r'for user in ((?:"?\w*"? ?)+);', (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))[0]
    for user in names.replace('"', "").split(" "):
        written[f"clickhouse{user}_password"] = secrets.token_urlsafe(18)
    for name, text in written.items():
        (folder / "deploy" / "secrets" / name).write_text(text)
        (folder / "deploy" / "secrets" / name).chmod(0o444)
    example = folder / "deploy" / "counterpoise.env"
    shutil.copy(ROOT / "deploy" / "counterpoise.env.example", example)
    own = {
        "COUNTERPOISE_INGEST__SOURCE": "bitcoind",
        "COUNTERPOISE_INGEST__BITCOIND__URL": "http://host.docker.internal:8332",
        "COUNTERPOISE_INGEST__BITCOIND__USER": "counterpoise",
        "COUNTERPOISE_INGEST__BITCOIND__PASSWORD": PASSWORD,
        "COUNTERPOISE_INGEST__BITCOIND__POLL_SECONDS": "0.3",
        "COUNTERPOISE_SLACK__CHANNEL": CHANNEL,
        "COUNTERPOISE_SLACK__BASE_URL": slack.base_url,
    }
    with example.open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in own.items())
    return folder


def test_every_service_of_compose_works_on_its_own_and_comes_back_from_a_kill(tmp_path: Path) -> None:
    try:
        fetch_jars()
    except ApacheKafkaUnavailableError as reason:
        pytest.skip(str(reason))
    began = int(time.time()) - FIRES_AT * SPACING_SECONDS - FIRED_SECONDS_AGO
    with new_network(), SlackServer() as slack, BitcoindServer(FakeChain(first_time=began), tmp_path) as node:
        node.user_password = ("counterpoise", PASSWORD)
        node.chain.mine(FIRST_BLOCKS)
        files = (ROOT / "docker-compose.yml", ROOT / "deploy" / "slack.yml")
        machine = Machine(tmp_path / "machine", files, project(tmp_path / "project", slack), scale={"streams": 3})
        try:
            machine.publish(GATEWAY, 8332, ("127.0.0.1", int(node.url.rpartition(":")[2])))
            # The token goes to https or to loopback only.
            machine.publish_inside("alerts", slack.port, ("127.0.0.1", slack.port))
            machine.up()
            machine.wait_healthy(*OURS)
            password = SecretStr((machine.project / "deploy/secrets/clickhouse_password").read_text())
            with connect(ClickHouseTarget("127.0.0.1", 9000, "counterpoise", password), "counterpoise") as ch:
                Story(machine, node, slack, ch).run()
        finally:
            machine.close()


@dataclass
class Story:
    """What happens on the machine, in order."""

    machine: Machine
    node: BitcoindServer
    slack: SlackServer
    ch: ClickHouse

    def run(self) -> None:
        self.until(self.all_stored, "the history is scored")
        self.node.chain.mine(LIVE_BLOCKS)
        self.until(self.all_stored, "the new blocks are scored")
        self.until(lambda: bool(self.slack.messages), "an alert is posted")
        self.look_at_the_desk()
        self.look_at_the_status()
        for services in (OURS, ("clickhouse",), ("kafka",)):
            self.kill(services)
        self.node.chain.reorg(2)
        self.until(self.all_stored, "the branch that won is scored")
        self.machine.wait_healthy(*OURS)
        self.one_answer_each()
        codes = self.machine.stop(*OURS)
        assert set(codes.values()) == {0}, self.machine.explain()

    def until(self, true: Callable[[], bool], what: str) -> None:
        wait_for(true, what, self.machine.explain)

    def all_stored(self) -> bool:
        tip = self.node.chain.tip
        [(height, found)] = self.ch.query(
            "SELECT height, tip_hash FROM latest_concentration WHERE chain = 'bitcoin' LIMIT 1"
        ) or [(0, "")]
        return bool(height == tip.height and found == tip.hash)

    def kill(self, services: tuple[str, ...]) -> None:
        """`kill -9` of one container of each while blocks arrive; of streams, the one that has the chain."""
        killed = [self.working_streams() if name == "streams" else self.machine.one(name) for name in services]
        starts = {container.name: container.starts for container in killed}
        self.node.chain.mine(2)
        for container in killed:
            container.kill()
        self.node.chain.mine(2)
        for container in killed:
            self.until(lambda c=container: c.starts > starts[c.name] and bool(c.pid()), f"{container.name} runs again")  # type: ignore[misc]
        self.until(self.all_stored, f"all blocks are scored after kill -9 of {', '.join(services)}")

    def status(self) -> dict[str, Any]:
        """`docker compose exec streams counterpoise status --json`."""
        done = self.machine.one("streams", 2).run(["counterpoise", "status", "--json"])
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def working_streams(self) -> Container:
        streams = [one["status"] for one in self.status()["services"] if one["name"] == "streams"]
        busy = max(streams, key=lambda status: float(status["last_progress_at"] or 0.0))["host"]
        return next(one for one in self.machine.containers["streams"] if one.hostname == busy)

    def look_at_the_status(self) -> None:
        """One container's command shows every process of the others."""
        names = sorted([*OURS, "streams", "streams"])
        self.until(
            lambda: sorted(one["name"] for one in self.status()["services"] if one["healthy"]) == names, "all are well"
        )
        shown = self.status()
        assert shown["healthy"], shown
        assert [one["problem"] for one in shown["engines"]] == [None, None]

    def look_at_the_desk(self) -> None:
        """On the published port, and for who has the token."""
        token = (self.machine.project / "deploy/secrets/desk_token").read_text()
        url = "http://127.0.0.1:8090"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": "Bearer wrong"}).status_code == 401
        height = self.node.chain.tip.height

        def shows_the_tip() -> bool:
            page = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
            assert page.status_code == 200, page.text
            return f"{height:,}" in page.text or str(height) in page.text

        self.until(shows_the_tip, "the page has the tip")

    def one_answer_each(self) -> None:
        """Each height of the best chain has its block and one score in each window and view, and Slack has each message once."""
        blocks = self.ch.query("SELECT height, hash FROM blocks WHERE chain = 'bitcoin' ORDER BY height")
        assert blocks == [(block.height, block.hash) for block in self.node.chain.best()]
        [(rows, answers)] = self.ch.query(
            "SELECT count(), uniqExact(height, view, window_blocks) FROM concentration WHERE chain = 'bitcoin'"
        )
        assert rows == answers
        told = [message.text for message in self.slack.messages if message.thread_ts is None]
        assert told and len(set(told)) == len(told)
