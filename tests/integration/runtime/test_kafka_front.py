"""The front of the embedded broker: a fetch waits there until there is something to fetch."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import NewTopic

from counterpoise.kafka.clients import make_admin, make_producer
from engines.kafka import KafkaProcess, start_kafka
from engines.processes import command_of
from tests.kafka_requests import Offsets, fetch_request
from tests.waiting import PATIENCE_SECONDS, wait_for

HOUR_MS = 3_600_000
"""Without the front, the embedded broker answers a fetch that may wait so long after half of it, message or not."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    made = start_kafka(log_file=tmp_path_factory.mktemp("kafka") / "kafka.log")
    yield made
    made.stop()


@pytest.fixture
def topics(broker: KafkaProcess, request: pytest.FixtureRequest) -> tuple[str, str]:
    names = tuple(f"{letter}-{abs(hash(request.node.name))}" for letter in "ab")
    admin = make_admin(broker.target, "test")
    admin.create_topics([NewTopic(name, 3, 1) for name in names])
    admin.close()
    return names[0], names[1]


@pytest.fixture
def connection(broker: KafkaProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE_SECONDS) as made:
        yield made


def ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(struct.pack(">i", len(request)) + request)


def answer(connection: socket.socket) -> bytes:
    with connection.makefile("rb", buffering=0) as stream:
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            wanted = 4 - len(data) if len(data) < 4 else 4 + int.from_bytes(data[:4], "big") - len(data)
            more = stream.read(wanted)
            assert more, "the connection ended"
            data += more
    return data[4:]


def send(broker: KafkaProcess, topic: str, partition: int, value: bytes) -> None:
    producer = make_producer(broker.target, "test", compression_type=None)
    producer.send(topic, value=value, partition=partition).get(timeout=PATIENCE_SECONDS)
    producer.close()


def offsets(topics: tuple[str, str]) -> Offsets:
    return {topic: [(0, 0), (1, 0), (2, 0)] for topic in topics}


@pytest.mark.parametrize("version", range(4, 13))
def test_a_fetch_is_answered_when_a_message_comes(
    broker: KafkaProcess, connection: socket.socket, topics: tuple[str, str], version: int
) -> None:
    ask(connection, fetch_request(version, offsets(topics), max_wait_ms=HOUR_MS))
    assert answer(connection)[:4] == struct.pack(">i", 77)  # at once, and empty: nothing was known of these partitions
    shuffled = {topic: tuple(reversed(asked)) for topic, asked in reversed(list(offsets(topics).items()))}
    ask(connection, fetch_request(version, shuffled, max_wait_ms=HOUR_MS))
    send(broker, topics[1], 2, b"the message that was waited for")
    assert b"the message that was waited for" in answer(connection)


def test_a_message_that_came_between_two_fetches_is_fetched_at_once(
    broker: KafkaProcess, connection: socket.socket, topics: tuple[str, str]
) -> None:
    ask(connection, fetch_request(11, offsets(topics), max_wait_ms=HOUR_MS))
    answer(connection)
    send(broker, topics[0], 0, b"between")
    ask(connection, fetch_request(11, offsets(topics), max_wait_ms=HOUR_MS))
    assert b"between" in answer(connection)
    ask(connection, fetch_request(11, offsets(topics), max_wait_ms=HOUR_MS))  # the same again: it was not empty
    assert b"between" in answer(connection)


def test_another_request_of_the_same_client_ends_the_wait(connection: socket.socket, topics: tuple[str, str]) -> None:
    for _ in range(2):
        ask(connection, fetch_request(11, offsets(topics), max_wait_ms=HOUR_MS))
    answer(connection)
    ask(connection, struct.pack(">hhih", 18, 0, 78, 4) + b"test")
    assert answer(connection)[:4] == struct.pack(">i", 77)
    assert answer(connection)[:4] == struct.pack(">i", 78)


def test_a_topic_that_is_deleted_ends_the_wait(
    broker: KafkaProcess, connection: socket.socket, topics: tuple[str, str]
) -> None:
    for _ in range(2):
        ask(connection, fetch_request(11, offsets(topics), max_wait_ms=HOUR_MS))
    answer(connection)
    admin = make_admin(broker.target, "test")
    admin.delete_topics(list(topics))
    admin.close()
    answer(connection)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\xff\xff\xff\xff"])
def test_who_does_not_speak_kafka_is_sent_away(connection: socket.socket, said: bytes) -> None:
    connection.sendall(said)
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_front_that_is_killed_leaves_no_broker(tmp_path: Path) -> None:
    front = start_kafka(log_file=tmp_path / "kafka.log")
    children = children_of(front.pid)
    assert [name for name in map(command_of, children) if name and "--storage-engine memory" in name]
    front.kill()
    wait_for(lambda: all(command_of(pid) is None for pid in children), "the broker to end")


@pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")
def test_a_broker_that_ends_takes_its_front_with_it(tmp_path: Path) -> None:
    front = start_kafka(log_file=tmp_path / "kafka.log")
    [broker] = children_of(front.pid)
    os.kill(broker, 9)
    wait_for(lambda: not front.is_alive(), "the front to end")


def children_of(parent: int) -> list[int]:
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in found if parent_of(pid) == parent]


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return None
