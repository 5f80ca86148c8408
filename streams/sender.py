"""Events to Kafka, each acknowledged before the call returns; a broker that is away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import Topic
from streams.waiting import RetryPolicy, StoppingError, waits_seconds
from streams.worker import Outgoing


class Sender:
    """`producer` gives Faust's producer, started; it is asked for at each attempt."""

    def __init__(self, producer: Callable[[], Awaitable[Any]], dataset: str, retry_policy: RetryPolicy) -> None:
        self._producer = producer
        self._dataset = dataset
        self._retry_policy = retry_policy

    async def send(self, outgoing: Outgoing) -> None:
        """Send until it is acknowledged; the wait shows in the status. StoppingError if told to stop meanwhile.

        A topic of one partition may have more on the embedded broker; its readers look at the first one alone.
        """
        await self._send_bytes(outgoing.topic, outgoing.key, self._encoded(outgoing))

    def _encoded(self, outgoing: Outgoing) -> bytes:
        if outgoing.kind is None:
            return outgoing.event.model_dump_json().encode()
        sent_at_ms = int(self._retry_policy.clock.now() * 1000)
        return encode(
            [outgoing.event], kind=outgoing.kind, dataset=self._dataset, producer="streams", sent_at_ms=sent_at_ms
        )

    async def _send_bytes(self, topic: Topic, key: str, value: bytes) -> None:
        partition = None if topic.is_spread else 0
        status, waited = self._retry_policy.status, False
        for seconds in waits_seconds():
            try:
                producer = await self._producer()
                await producer.send_and_wait(
                    topic.full_name(self._dataset), key.encode(), value, partition, None, headers={}
                )
            except (KafkaError, ProducerSendError) as error:  # Faust wraps what fails before a message is on its way
                status.waiting("kafka", f"{topic.name}: {error!r}")
                waited = True
                if self._retry_policy.stopping():
                    raise StoppingError("stopped while waiting for kafka") from error
                await asyncio.sleep(seconds)
            else:
                if waited:
                    status.working()
                return
