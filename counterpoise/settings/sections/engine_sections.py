"""Settings of Kafka, ClickHouse and the embedded engines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from counterpoise.contracts.topics import DEFAULT_PARTITIONS
from counterpoise.settings.section import Port, Seconds, SettingsSection, upper_case

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class KafkaSettings(SettingsSection):
    """The Kafka cluster. Without `bootstrap_servers`, the embedded broker that `counterpoise up` started is used."""

    bootstrap_servers: str | None = None
    """Addresses of the brokers: `host:port[,host:port…]`."""
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(upper_case)
    ] = "PLAINTEXT"
    """Security of the listener: TLS is SSL, a user and password is SASL. docs/security.md describes each."""
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"], BeforeValidator(upper_case)
    ] = "SCRAM-SHA-512"
    """Mechanism that checks the password or the token."""
    user: str | None = None
    """User name for SASL with a password."""
    password: SecretStr | None = None
    """The password. Prefer a file."""
    password_file: Path | None = None
    """File with the secret."""
    token_file: Path | None = None
    """File with the token for OAUTHBEARER, which is read anew at each connection."""
    ca_file: Path | None = None
    """PEM file of the CA that signed the brokers' certificates. Without it the CAs of the system are trusted."""
    certificate_file: Path | None = None
    """PEM file of a client certificate, with its chain, for brokers that require one."""
    key_file: Path | None = None
    """PEM file of the client certificate's key, unless the certificate's file contains it."""
    key_password: SecretStr | None = None
    """Password of an encrypted key. Prefer a file."""
    key_password_file: Path | None = None
    """File with the secret."""
    verify_hostname: bool = True
    """Refuse a broker whose certificate is for another host. The certificate itself is always verified."""
    compression: Literal["none", "gzip", "lz4"] = "lz4"
    """Compression of the messages that are sent. Each of them is read, whatever the setting is."""
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    """Replication factor of new topics. Set 3 on a cluster of three brokers or more."""
    partitions: Annotated[int, Field(ge=1, le=1_024)] = DEFAULT_PARTITIONS
    """Partitions of each topic that chains and series are spread over. An existing topic with another number is refused."""
    session_timeout_seconds: Seconds = 6.0
    """Time without a heartbeat after which a consumer loses its partitions."""
    heartbeat_interval_seconds: Seconds = 1.0
    """Time between two heartbeats: at most a third of the session timeout."""
    rebalance_timeout_seconds: Seconds = 30.0
    """Longest time that a rebalance waits for members."""
    fetch_max_wait_ms: Annotated[int, Field(ge=1, le=5_000)] = 500
    """Longest time that a fetch waits at the broker while no message comes. A message ends the wait."""


class ClickHouseSettings(SettingsSection):
    """The ClickHouse server. Without `host`, the embedded server that `counterpoise up` started is used."""

    host: str | None = None
    """Name or address of the server. Several servers of one cluster: `host[:port],host[:port]…`, tried in this order."""
    port: Port = 9000
    """Port of the native protocol, for a host without one. With TLS it is usually 9440."""
    user: str = "default"
    """User name."""
    password: SecretStr | None = None
    """The password. Prefer a file."""
    password_file: Path | None = None
    """File with the secret."""
    secure: bool = False
    """Use TLS."""
    verify: bool = True
    """Verify the server's certificate and host. `false` trusts every server and is for tests."""
    ca_file: Path | None = None
    """PEM file of the CA that signed the server's certificate. Without it the CAs of the system are trusted."""
    certificate_file: Path | None = None
    """PEM file of a client certificate, with its chain, for a server that requires one."""
    key_file: Path | None = None
    """PEM file of the client certificate's key, unless the certificate's file contains it."""
    key_password: SecretStr | None = None
    """Password of an encrypted key. Prefer a file."""
    key_password_file: Path | None = None
    """File with the secret."""
    server_name: str | None = None
    """Name in the server's certificate, if it is not the host."""
    cluster: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    """Cluster that the server belongs to: tables are replicated to all of its servers. `none` uses this server alone."""
    connect_timeout_seconds: Seconds = 5.0
    """Timeout of connecting."""
    query_timeout_seconds: Seconds = 60.0
    """Timeout of each read of an answer."""


class EmbeddedSettings(SettingsSection):
    """The embedded ClickHouse, at its next start by `counterpoise up`."""

    allowed_hosts: tuple[HostName, ...] = ()
    """Host names that its HTTP interface accepts beside loopback, for a forwarded port. A JSON list."""
    max_memory_bytes: Annotated[int, Field(ge=512 << 20, le=1 << 50)] = 4 << 30
    """Memory limit of the server's process. All statements together get 768 MiB less, but at least half."""
    reader_memory_bytes: Annotated[int, Field(ge=64 << 20, le=1 << 50)] = 2 << 30
    """Memory limit of one statement of the user `reader`."""
    reader_seconds: Annotated[int, Field(ge=1, le=86_400)] = 120
    """Time limit of one statement of the user `reader`."""
    reader_statements: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Number of statements of the user `reader` that run at once."""
