"""Where the engines are: what the settings name, or else what `counterpoise up` started on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, Literal

from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.runtime.private_files import private_folder, read_private, write_private
from counterpoise.settings.model import Settings
from counterpoise.settings.section import read_secret
from counterpoise.settings.sections.engine_sections import ClickHouseSettings
from counterpoise.settings.security import (
    CLICKHOUSE_PREFIX,
    KAFKA_PREFIX,
    PLAINTEXT,
    KafkaSecurity,
    Tls,
    clickhouse_tls,
    kafka_security,
)
from counterpoise.urls import split_address

MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class EmbeddedEndpoints:
    """What `counterpoise up` wrote down: addresses on loopback, and the files that hold the passwords."""

    kafka: str
    clickhouse_host: str
    clickhouse_port: int
    clickhouse_http_port: int
    clickhouse_password_file: str
    clickhouse_reader_password_file: str

    @staticmethod
    def path(state_dir: Path) -> Path:
        """The file that holds them."""
        return state_dir / "embedded" / "endpoints.json"

    def write(self, state_dir: Path) -> None:
        """Write atomically."""
        path = self.path(state_dir)
        private_folder(path.parent)
        write_private(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, state_dir: Path) -> EmbeddedEndpoints:
        """Read them back; ConfigError names the command that starts the engines if there are none."""
        try:
            return cls(**json.loads(read_private(cls.path(state_dir))))
        except (OSError, ValueError, TypeError, RecursionError):
            raise ConfigError(
                f"no Kafka or ClickHouse address is set and no embedded engines run in {str(state_dir)!r}: start them with "
                "`counterpoise up`, or set COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS and COUNTERPOISE_CLICKHOUSE__HOST. "
                "`make demo` has its own: --state-dir .counterpoise"
            ) from None


def desk_address_file(state_dir: Path) -> Path:
    """The file that holds the desk's URL, for the redirect from /play of the embedded ClickHouse."""
    return state_dir / "embedded" / "desk-address"


def write_desk_address(state_dir: Path, url: str) -> None:
    """Record where the desk answers; atomically."""
    path = desk_address_file(state_dir)
    private_folder(path.parent)
    write_private(path, url + "\n")


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """Comma-separated `host:port` of the brokers, and their security; what `counterpoise.kafka` connects to."""

    bootstrap: str
    security: KafkaSecurity = PLAINTEXT
    compression: Literal["none", "gzip", "lz4"] = "lz4"


@dataclass(frozen=True, slots=True)
class ClickHouseTarget:
    """An address, a user and a password; what `counterpoise.clickhouse` connects to."""

    host: str
    port: int
    user: str
    password: SecretStr
    tls: Tls | None = None
    """None connects without TLS."""
    connect_timeout_seconds: float = 5.0
    query_timeout_seconds: float = 60.0
    cluster: str | None = None
    """The setting of that name; see `counterpoise.clickhouse.cluster`."""
    others: tuple[tuple[str, int], ...] = ()
    """Addresses of further servers with the same data, which are tried in turn where one does not answer."""

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Every host and port, in the order in which a new client tries them."""
        return ((self.host, self.port), *self.others)

    @property
    def where(self) -> str:
        """All addresses, for messages."""
        return ",".join(f"{host}:{port}" for host, port in self.addresses)

    def each(self) -> tuple[ClickHouseTarget, ...]:
        """The servers one by one."""
        return tuple(replace(self, host=host, port=port, others=()) for host, port in self.addresses)


def _embedded_password(file: Path) -> SecretStr:
    try:
        return SecretStr(read_private(file).rstrip("\r\n"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the embedded server's password {file} cannot be read: {error}; `counterpoise down`, then `up`"
        ) from None


def kafka_target(settings: Settings) -> KafkaTarget:
    """The brokers; ConfigError where security is set for the embedded broker, which has none."""
    security = kafka_security(settings.kafka)
    if settings.kafka.bootstrap_servers:
        return KafkaTarget(settings.kafka.bootstrap_servers, security, settings.kafka.compression)
    embedded = EmbeddedEndpoints.read(settings.state_dir)
    if security != PLAINTEXT:
        raise ConfigError(
            f"{KAFKA_PREFIX}SECURITY_PROTOCOL is {security.protocol}, and the embedded broker speaks PLAINTEXT: set "
            f"{KAFKA_PREFIX}BOOTSTRAP_SERVERS too"
        )
    return KafkaTarget(embedded.kafka, compression=settings.kafka.compression)


def _is_host(text: str) -> bool:
    # The driver reads further hosts as parts of a URL, where db@other is the host other.
    return re.fullmatch(r"[\w.:%-]+", text) is not None and (":" not in text or bool(IPv6Address(text)))


def _clickhouse_addresses(ch: ClickHouseSettings) -> list[tuple[str, int]]:
    p = CLICKHOUSE_PREFIX
    try:
        found = [split_address(part, ch.port) for part in (ch.host or "").split(",")]
        if not all(_is_host(host) and 1 <= port <= MAX_PORT for host, port in found):
            raise ValueError
    except ValueError:
        raise ConfigError(f"{p}HOST is {ch.host!r}: expected host[:port][,host[:port]…]") from None
    if len(set(found)) < len(found):
        raise ConfigError(f"{p}HOST is {ch.host!r}, which names one address twice")
    if len(found) > 1 and ch.cluster is None:
        raise ConfigError(
            f"{p}HOST names {len(found)} servers, which share data only in a cluster: set {p}CLUSTER to its name, or to 'none' "
            "for addresses of one server"
        )
    return found


def clickhouse_target(settings: Settings, *, read_only: bool = False) -> ClickHouseTarget:
    """The servers to write to; with `read_only`, the embedded server's reader (on a real server: the configured user)."""
    ch = settings.clickhouse
    tls = clickhouse_tls(ch)
    if ch.host is not None:
        password = read_secret(ch.password, ch.password_file, "COUNTERPOISE_CLICKHOUSE__PASSWORD") or SecretStr("")
        (host, port), *others = _clickhouse_addresses(ch)
        target = ClickHouseTarget(host, port, ch.user, password, tls, others=tuple(others))
    else:
        found = EmbeddedEndpoints.read(settings.state_dir)
        if tls is not None:
            raise ConfigError(
                f"{CLICKHOUSE_PREFIX}SECURE is true, and the embedded server has no TLS: set {CLICKHOUSE_PREFIX}HOST too"
            )
        file = Path(found.clickhouse_reader_password_file if read_only else found.clickhouse_password_file)
        password = _embedded_password(file)
        user = "reader" if read_only else "default"
        target = ClickHouseTarget(found.clickhouse_host, found.clickhouse_port, user, password)
    return replace(
        target,
        cluster=ch.cluster,
        connect_timeout_seconds=ch.connect_timeout_seconds,
        query_timeout_seconds=ch.query_timeout_seconds,
    )
