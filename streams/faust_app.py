"""The Faust app of a dataset: its settings, its transport, its topics. Agents are added by `streams.service`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import faust
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import SaslAuthenticationFailed
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials
from yarl import URL

from counterpoise.contracts.topics import BLOCKS
from counterpoise.errors import ConfigError
from counterpoise.kafka.clients import security_arguments
from counterpoise.kafka.lag import group_id
from counterpoise.kafka.partition import partition_among
from counterpoise.kafka.token_file import TokenFile
from counterpoise.runtime.private_files import private_folder
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from streams.intake.transport import FAUST_LOG, NoHttpClient, NoTables, PromptTransport
from streams.intake.waiting_stream import WaitingStream

FETCH_BYTES: Final = 1 << 20
"""Of one partition at once; a larger message comes alone."""
POLL_MESSAGES: Final = 32
"""Of what was fetched, taken over at once: the embedded broker sends all that it has, whatever size is asked for."""
_COMMIT_INTERVAL_SECONDS = 0.5
_MAX_POLL_INTERVAL_SECONDS = 86_400.0
"""A sink that is down is waited for; the wait must not cost the partition, whose owner would only meet the same sink."""


class StreamsApp(faust.App):  # type: ignore[misc]
    """A Faust app whose consumer fetches promptly."""

    logger = FAUST_LOG
    fetch_max_wait_ms: int
    before_commit: Callable[[], Awaitable[None]]
    """Awaited before offsets are committed, in the consumer's own thread and loop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waiting_streams: WeakSet[WaitingStream] = WeakSet()

    def waiting_bytes(self) -> dict[str, int]:
        """Bytes of the messages that were fetched and wait for their agents, by topic."""
        waiting: dict[str, int] = {}
        for stream in self.waiting_streams:
            for topic in stream.channel.topics:
                waiting[topic] = waiting.get(topic, 0) + stream.waiting_bytes
        return waiting

    def _new_transport(self) -> PromptTransport:
        return PromptTransport(self.conf.broker_consumer, self)


def create_app(settings: Settings, target: KafkaTarget, before_commit: Callable[[], Awaitable[None]]) -> StreamsApp:
    """The app, not yet started. State is never Faust's: it is loaded from ClickHouse (a Faust table counts twice after a kill)."""
    app = StreamsApp(
        group_id(settings.dataset, "streams"),
        broker=[URL(f"kafka://{address.strip()}") for address in target.bootstrap.split(",")],
        broker_credentials=faust_credentials(security_arguments(target)),
        store="memory://",
        TableManager=NoTables,
        HttpClient=NoHttpClient,
        Stream=WaitingStream,
        # Nothing is kept there, but Faust makes it, by default where it was started.
        datadir=str(private_folder(settings.run_dir / "faust")),
        topic_partitions=settings.kafka.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        broker_session_timeout=settings.kafka.session_timeout_seconds,
        broker_heartbeat_interval=settings.kafka.heartbeat_interval_seconds,
        broker_rebalance_timeout=settings.kafka.rebalance_timeout_seconds,
        broker_commit_interval=_COMMIT_INTERVAL_SECONDS,
        broker_max_poll_interval=_MAX_POLL_INTERVAL_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_max_poll_records=POLL_MESSAGES,
        producer_acks=-1,
        producer_compression_type=None if settings.kafka.compression == "none" else settings.kafka.compression,
        producer_partitioner=partition_among,
        producer_max_request_size=BLOCKS.max_message_bytes,
    )
    app.fetch_max_wait_ms = settings.kafka.fetch_max_wait_ms
    app.before_commit = before_commit
    return app


@dataclass(frozen=True)
class AwaitedToken(AbstractTokenProvider):  # type: ignore[misc]
    """aiokafka's provider of tokens."""

    source: TokenFile

    async def token(self) -> str:
        """The token, read now: a small local file, which holds the loop up for less than a thread would.

        A file that cannot be used is raised as an error of aiokafka's own, after which it tries again; any other would end one of its
        tasks unseen. The check of the topics meets the same file within a second and ends the process with its message.
        """
        try:
            return self.source.token()
        except ConfigError as error:
            raise SaslAuthenticationFailed(str(error)) from None


def faust_credentials(arguments: Mapping[str, Any]) -> Credentials | None:
    """Faust's form of `client_arguments`, from which it makes them again; None for PLAINTEXT."""
    context = arguments.get("ssl_context")
    if "sasl_oauth_token_provider" in arguments:
        return OAuthCredentials(
            oauth_cb=AwaitedToken(arguments["sasl_oauth_token_provider"]),
            ssl_context=context,
        )
    if "sasl_mechanism" in arguments:
        return SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            mechanism=arguments["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def raw_topic(app: StreamsApp, name: str) -> Any:
    """A topic of bytes: what does not decode must reach us, not Faust."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
