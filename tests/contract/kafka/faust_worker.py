"""A Faust worker of the smallest kind, run by the contract tests: notes every value that it acknowledged.

Usage: faust_worker.py BROKER APP TOPIC PARTITIONS OUTPUT
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiokafka
import faust
import faust.transport.drivers.aiokafka as driver

broker, app_id, topic, partitions, output = sys.argv[1:6]


class Consumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is untyped
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["fetch_max_wait_ms"] = 20  # Faust says 1500 and offers no setting
        super().__init__(*args, **kwargs)


aiokafka.AIOKafkaConsumer = driver.aiokafka.AIOKafkaConsumer = Consumer

app = faust.App(
    app_id,
    broker=f"kafka://{broker}",
    store="memory://",
    topic_partitions=int(partitions),
    topic_disable_leader=True,
    web_enabled=False,
    broker_session_timeout=6.0,
    broker_heartbeat_interval=1.0,
    broker_rebalance_timeout=6.0,
    broker_commit_interval=0.5,
    consumer_auto_offset_reset="earliest",
)
source = app.topic(topic, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")


@app.agent(source)  # type: ignore[untyped-decorator]  # Faust is untyped
async def note(stream: Any) -> None:
    async for events in stream.noack_take(50, within=0.05):
        lines = "".join(f"{event.message.partition} {event.value.decode()}\n" for event in events)
        await asyncio.to_thread(write, lines)
        for event in events:
            event.ack()


def write(lines: str) -> None:
    with Path(output).open("a") as file:
        file.write(lines)


if __name__ == "__main__":
    app.worker_init()
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
