"""Events to Kafka, each acknowledged before the call returns; a broker that is away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import NotReady, ProducerSendError

from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topic_schemas import headers_of
from counterpoise.errors import RetryableError
from counterpoise.runtime.retry import Waiter
from streams.worker import Outgoing


class Sender:
    """`producer` gives Faust's producer, started; it is asked for at each attempt."""

    def __init__(self, producer: Callable[[], Awaitable[Any]], dataset: str, waiter: Waiter) -> None:
        self._producer = producer
        self._dataset = dataset
        self._waiter = waiter

    async def send(self, *together: Outgoing) -> None:
        """Send until all are acknowledged; the wait shows in the status. StoppingError if told to stop meanwhile.

        No two of them have one topic and key: they have no order among each other, and what failed is sent behind the others.
        """
        left = [(one, self._encoded(one)) for one in together]

        async def attempt() -> None:
            try:
                producer = await self._producer()
                answers = await asyncio.gather(
                    *(self._sent(producer, one, value) for one, value in left), return_exceptions=True
                )
                failed = [(of, error) for of, error in zip(left, answers, strict=True) if error is not None]
                left[:] = [of for of, _ in failed]
                if failed:
                    raise failed[0][1]
            # Faust wraps what fails before a message is on its way, and its producer may end before we do.
            except (KafkaError, ProducerSendError, NotReady) as error:
                raise RetryableError(f"{left[0][0].topic.name}: {error!r}") from error

        await self._waiter.until_done_async("kafka", attempt)

    async def _sent(self, producer: Any, outgoing: Outgoing, value: bytes) -> None:
        """A topic of one partition may have more on the embedded broker; its readers look at the first one alone."""
        await producer.send_and_wait(
            outgoing.topic.full_name(self._dataset),
            outgoing.key.encode(),
            value,
            None if outgoing.topic.is_spread else 0,
            None,
            headers=dict(headers_of(outgoing.topic)),
        )

    def _encoded(self, outgoing: Outgoing) -> bytes:
        if outgoing.kind is None:
            return outgoing.event.model_dump_json().encode()
        sent_at_ms = int(self._waiter.clock.now() * 1000)
        return encode(
            [outgoing.event], kind=outgoing.kind, dataset=self._dataset, producer="streams", sent_at_ms=sent_at_ms
        )
