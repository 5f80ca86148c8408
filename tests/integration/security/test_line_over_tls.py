"""The stream service between a broker and a ClickHouse that it reaches over TLS alone."""

from __future__ import annotations

from testkit.certificates import Authority
from testkit.tls_front import TlsFront
from tests.integration.security.conftest import SecuredEngines, SecuredKafka
from tests.integration.streams.blocks import branch
from tests.integration.streams.line import line_on
from tests.runbook import assert_shown

BLOCKS = 400


def test_every_block_arrives_through_a_kill_and_the_loss_of_a_clickhouse_host(
    secured: SecuredEngines, authority: Authority
) -> None:
    """Faust, its producer, the kafka-python clients and ClickHouse: all of them with a client certificate."""
    kafka = secured.kafka
    assert isinstance(kafka, SecuredKafka)
    blocks = branch(BLOCKS)
    context = authority.server_context(file="lost", clients=authority)
    with TlsFront(secured.clickhouse.port, context) as lost, line_on(secured, "tls") as line:
        hosts = f"127.0.0.1:{lost.port},127.0.0.1:{secured.clickhouse_front.port}"
        several = {
            "COUNTERPOISE_CLICKHOUSE__HOST": hosts,
            "COUNTERPOISE_CLICKHOUSE__CLUSTER": "none",
            "COUNTERPOISE_CLICKHOUSE__CONNECT_TIMEOUT_SECONDS": "60",  # the first host is slow at most, never away
        }
        before = secured.clickhouse_front.handshakes
        first = line.start(name="first", settings=several)
        line.send(blocks[:100], events_per_message=10)
        line.wait_for("SELECT count() > 50 FROM blocks", 1)
        assert lost.handshakes > 0 and secured.clickhouse_front.handshakes == before
        lost.close()
        line.send(blocks[100:200], events_per_message=10)
        line.wait_for("SELECT count() FROM blocks", 200)
        first.kill()
        second = line.start(name="second", settings=several)
        line.send(blocks[200:], events_per_message=10)
        line.drain()
        assert line.ch.query("SELECT count(), min(height), max(height), uniqExact(hash) FROM blocks") == [
            (BLOCKS, blocks[0].height, blocks[-1].height, BLOCKS)
        ]
        assert second.stop() == 0, second.tail()
    assert kafka.front.handshakes > 0 and secured.clickhouse_front.handshakes > 0


def test_a_certificate_that_is_not_trusted_ends_the_service_in_one_line(
    secured: SecuredEngines, stranger: Authority
) -> None:
    """Code 2 and no traceback: no retry helps."""
    with line_on(secured, "tls") as line:
        for engine in ("KAFKA", "CLICKHOUSE"):
            wrong = {f"COUNTERPOISE_{engine}__CA_FILE": str(stranger.ca_file)}
            worker = line.start(name=f"untrusted-{engine}", settings=wrong)
            assert worker.wait() == 2, worker.tail()
            said = [text for text in worker.log().splitlines() if "its certificate is not signed by" in text]
            assert_shown("a certificate, a password or a port", said[0])
            assert len(said) == 1 and f"set COUNTERPOISE_{engine}__CA_FILE to the CA that signed it" in said[0]
            assert "Traceback" not in worker.log()
