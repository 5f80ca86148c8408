"""Clients of Kafka and ClickHouse, and TLS contexts, are made in one place each: another would connect in a way of its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("counterpoise", "desk", "ingest", "streams", "alerts", "engines")

MADE_IN = {
    ("kafka", "KafkaProducer"): "counterpoise/kafka/clients.py",
    ("kafka", "KafkaConsumer"): "counterpoise/kafka/clients.py",
    ("kafka", "KafkaAdminClient"): "counterpoise/kafka/clients.py",
    ("aiokafka", "AIOKafkaProducer"): "",
    ("aiokafka", "AIOKafkaConsumer"): "",
    ("aiokafka", "AIOKafkaAdminClient"): "",
    ("faust", "App"): "",  # ours is StreamsApp
    ("streams", "StreamsApp"): "",  # outside its own file
    ("faust", "SASLCredentials"): "streams/faust_app.py",
    ("faust", "SSLCredentials"): "streams/faust_app.py",
    ("faust", "OAuthCredentials"): "streams/faust_app.py",
    ("counterpoise", "client_arguments"): "counterpoise/kafka/clients.py",
    ("clickhouse_driver", "Client"): "",  # ours is ArrayClient
    ("clickhouse_driver", "Connection"): "",
    ("clickhouse_driver", "connect"): "",
    ("counterpoise", "ArrayConnection"): "",  # outside its own file
    ("counterpoise", "ArrayClient"): "counterpoise/clickhouse/client.py",
    ("counterpoise", "ClickHouse"): "",  # outside its own file: connect()
    ("ssl", "SSLContext"): "counterpoise/runtime/tls.py",
    ("ssl", "create_default_context"): "",
    ("ssl", "wrap_socket"): "",
    ("ssl", "_create_unverified_context"): "",
}
"""Package and callee to the one file that may call it; empty where none may."""


def calls(source: str) -> list[tuple[tuple[str, str], int]]:
    """Package, name and line of everything imported that is called, under whatever name it was imported by."""
    tree = ast.parse(source)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {
                a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            head, _, rest = ast.unparse(node.func).partition(".")
            if head in imported:
                path = f"{imported[head]}.{rest}".rstrip(".").split(".")
                found.append(((path[0], path[-1]), node.lineno))
    return found


NAMES = re.compile("|".join(rf"\b{name}\b" for _, name in MADE_IN))


def strangers(file: str, source: str) -> list[str]:
    if not NAMES.search(source):  # whatever it is called later, it is imported by its name
        return []
    return [
        f"{file}:{line} makes a {'.'.join(callee)}"
        for callee, line in calls(source)
        if MADE_IN.get(callee, file) != file
    ]


def product_files() -> list[Path]:
    return [file for room in PRODUCT for file in sorted((ROOT / room).rglob("*.py"))]


def test_no_client_is_made_elsewhere() -> None:
    found = [
        line
        for file in product_files()
        for line in strangers(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_place_is_used() -> None:
    """A rule about a file that makes nothing any more would let the next file pass unseen."""
    for name, file in MADE_IN.items():
        if file:
            assert name in {callee for callee, _ in calls((ROOT / file).read_text(encoding="utf-8"))}, (name, file)


@pytest.mark.parametrize(
    "source",
    [
        "import kafka\nkafka.KafkaProducer(bootstrap_servers='x')",
        "from kafka import KafkaConsumer as C\nC()",
        "from kafka import KafkaAdminClient\ndef f():\n    return [KafkaAdminClient(client_id='x') for _ in range(2)]",
        "import aiokafka\nasync def f():\n    return aiokafka.AIOKafkaConsumer('t')",
        "import faust\napp = faust.App('x')",
        "from clickhouse_driver import Client\nwith Client('h') as c:\n    pass",
        "import ssl\nssl.create_default_context()",
        "from kafka.producer.kafka import KafkaProducer\nKafkaProducer()",
        "from counterpoise.clickhouse.client import ClickHouse\nClickHouse(target, 'x')",
    ],
)
def test_a_second_place_is_found(source: str) -> None:
    assert len(strangers("streams/elsewhere.py", source)) == 1


def test_every_client_of_kafka_python_gets_the_security() -> None:
    """Each of its constructors stands in a call with `**security_arguments(target)`."""
    source = (ROOT / MADE_IN["kafka", "KafkaProducer"]).read_text(encoding="utf-8")
    made = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"KafkaProducer", "KafkaConsumer", "KafkaAdminClient"}
    ]
    assert {node.func.id for node in made if isinstance(node.func, ast.Name)} == {
        "KafkaProducer",
        "KafkaConsumer",
        "KafkaAdminClient",
    }
    for node in made:
        spread = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None]
        assert "security_arguments(target)" in spread, ast.unparse(node)
