"""How a client proves who it is, and how it checks the server: values from the settings, complete or refused. Reads no certificate.

A half-set group is refused, because a client that ignores a password or a CA file connects in another way than its owner believes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.settings.section import read_secret
from counterpoise.settings.sections.engine_sections import ClickHouseSettings, KafkaSettings

KAFKA_PREFIX: Final = "COUNTERPOISE_KAFKA__"
CLICKHOUSE_PREFIX: Final = "COUNTERPOISE_CLICKHOUSE__"
OAUTHBEARER: Final = "OAUTHBEARER"


@dataclass(frozen=True, slots=True)
class Tls:
    """Which servers a client trusts, and the certificate that it shows. Files are in PEM form and are read at each new client.

    Without `ca_file` the CAs of the system are trusted. `verify` false trusts every server; the hostname is not compared then either.
    """

    prefix: str
    """Start of the names of these settings, for messages: `COUNTERPOISE_KAFKA__`."""
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    """The key of the certificate; None where the certificate's file has both."""
    key_password: SecretStr | None = None
    verify: bool = True
    verify_hostname: bool = True
    server_name: str | None = None
    """The name that the certificate must have, where it is not the host that is connected to."""

    def description(self) -> str:
        """What is checked and shown, on one line, for `doctor`."""
        if not self.verify:
            trusts = "certificate not verified"
        elif self.ca_file is None:
            trusts = "CAs of the system"
        else:
            trusts = f"CA {self.ca_file}"
        if self.verify and not self.verify_hostname:
            trusts += ", hostname not verified"
        shown = "" if self.certificate_file is None else f", client certificate {self.certificate_file}"
        return f"TLS ({trusts}{shown})"


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """What every client of a cluster needs beside its address. `tls` is set for SSL and SASL_SSL, the rest for SASL_…"""

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password: SecretStr | None = None
    tls: Tls | None = None
    token_file: Path | None = None
    """The token of OAUTHBEARER, which takes the place of user and password."""

    def description(self) -> str:
        """On one line, without a secret."""
        parts = [self.protocol]
        if self.token_file is not None:
            parts.append(f"{self.mechanism} with the token in {self.token_file}")
        elif self.mechanism is not None:
            parts.append(f"{self.mechanism} as {self.user!r}")
        if self.tls is not None:
            parts.append(self.tls.description())
        return ", ".join(parts)

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether everyone on the network can read the password or token: without TLS. SCRAM sends only proofs of a password."""
        return self.mechanism in {"PLAIN", OAUTHBEARER} and self.tls is None


PLAINTEXT: Final = KafkaSecurity()


def kafka_security(settings: KafkaSettings) -> KafkaSecurity:
    """The security of the Kafka settings; ConfigError for a missing part, or for one that the protocol does not use."""
    protocol, p = settings.security_protocol, KAFKA_PREFIX
    password = read_secret(settings.password, settings.password_file, f"{p}PASSWORD")
    _require_login(settings, password)
    tls = _tls(
        settings,
        p,
        wanted=protocol.endswith("SSL"),
        step=f"set {p}SECURITY_PROTOCOL to SSL or SASL_SSL",
        verify_hostname=settings.verify_hostname,
    )
    if protocol.startswith("SASL_"):
        return KafkaSecurity(protocol, settings.sasl_mechanism, settings.user, password, tls, settings.token_file)
    return KafkaSecurity(protocol, tls=tls)


def _require_login(settings: KafkaSettings, password: SecretStr | None) -> None:
    protocol, p = settings.security_protocol, KAFKA_PREFIX
    sasl = protocol.startswith("SASL_")
    named = settings.user is not None or password is not None
    if sasl and settings.sasl_mechanism == OAUTHBEARER:
        if named:
            raise ConfigError(
                f"{p}USER or {p}PASSWORD is set, which {OAUTHBEARER} does not use: set {p}TOKEN_FILE alone"
            )
        if settings.token_file is None:
            raise ConfigError(f"{p}SASL_MECHANISM is {OAUTHBEARER}, which needs {p}TOKEN_FILE")
        return
    if settings.token_file is not None:
        unused = f"{p}TOKEN_FILE is set, which {settings.sasl_mechanism if sasl else protocol} does not use"
        step = "" if sasl else f"{p}SECURITY_PROTOCOL to SASL_SSL and "
        raise ConfigError(f"{unused}: set {step}{p}SASL_MECHANISM to {OAUTHBEARER}")
    if sasl and not settings.user:
        raise ConfigError(f"{p}SECURITY_PROTOCOL is {protocol}, which needs {p}USER")
    if sasl and (password is None or not password.get_secret_value()):
        raise ConfigError(
            f"{p}SECURITY_PROTOCOL is {protocol}, which needs a password: set {p}PASSWORD_FILE or {p}PASSWORD"
        )
    if named and not sasl:
        other = "SASL_SSL" if protocol == "SSL" else "SASL_SSL or SASL_PLAINTEXT"
        raise ConfigError(
            f"{p}USER or {p}PASSWORD is set, which {protocol} does not use: set {p}SECURITY_PROTOCOL to {other}"
        )


def clickhouse_tls(settings: ClickHouseSettings) -> Tls | None:
    """TLS of the ClickHouse settings; None without. ConfigError for a part that is set without `secure`."""
    p = CLICKHOUSE_PREFIX
    if settings.server_name is not None and not settings.secure:
        raise ConfigError(f"{p}SERVER_NAME is set, which a connection without TLS does not use: set {p}SECURE to true")
    return _tls(
        settings,
        p,
        wanted=settings.secure,
        step=f"set {p}SECURE to true",
        verify=settings.verify,
        server_name=settings.server_name,
    )


def _tls(
    settings: KafkaSettings | ClickHouseSettings,
    prefix: str,
    *,
    wanted: bool,
    step: str,
    verify: bool = True,
    verify_hostname: bool = True,
    server_name: str | None = None,
) -> Tls | None:
    key_password = read_secret(settings.key_password, settings.key_password_file, f"{prefix}KEY_PASSWORD")
    if not wanted:
        for name in ("ca_file", "certificate_file", "key_file"):
            if getattr(settings, name) is not None:
                raise ConfigError(f"{prefix}{name.upper()} is set, which a connection without TLS does not use: {step}")
        return None
    if settings.key_file is not None and settings.certificate_file is None:
        raise ConfigError(f"{prefix}KEY_FILE is set without {prefix}CERTIFICATE_FILE: set both, or neither")
    return Tls(
        prefix,
        settings.ca_file,
        settings.certificate_file,
        settings.key_file,
        key_password,
        verify,
        verify_hostname,
        server_name,
    )
