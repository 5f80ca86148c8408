"""Events to Kafka, each acknowledged before the call returns; a broker that is away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from counterpoise.contracts.base import Contract
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import Topic
from streams.waiting import RetryPolicy, StoppingError, waits_seconds


class Sender:
    """`producer` gives Faust's producer, started; it is asked for at each attempt."""

    def __init__(self, producer: Callable[[], Awaitable[Any]], dataset: str, retry_policy: RetryPolicy) -> None:
        self._producer = producer
        self._dataset = dataset
        self._patience = retry_policy

    async def send_event(self, topic: Topic, key: str, event: Contract, kind: str) -> None:
        """Send one event in an envelope; see `send`."""
        sent_at_ms = int(self._patience.clock.now() * 1000)
        value = encode([event], kind=kind, dataset=self._dataset, producer="streams", sent_at_ms=sent_at_ms)
        await self.send(topic, key, value)

    async def send(self, topic: Topic, key: str, value: bytes) -> None:
        """Send until it is acknowledged; the wait shows in the status. StoppingError if told to stop meanwhile.

        A topic of one partition may have more on the embedded broker; its readers look at the first one alone.
        """
        partition = None if topic.is_spread else 0
        status, waited = self._patience.status, False
        for seconds in waits_seconds():
            try:
                producer = await self._producer()
                await producer.send_and_wait(
                    topic.full_name(self._dataset), key.encode(), value, partition, None, headers={}
                )
            except (KafkaError, ProducerSendError) as error:  # Faust wraps what fails before a message is on its way
                status.waiting("kafka", f"{topic.name}: {error!r}")
                waited = True
                if self._patience.stopping():
                    raise StoppingError("stopped while waiting for kafka") from error
                await asyncio.sleep(seconds)
            else:
                if waited:
                    status.working()
                return
