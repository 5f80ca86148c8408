"""Secured listeners of an Apache Kafka node: SASL_SSL, SSL that requires a client certificate, and SASL_PLAINTEXT."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.ports import HOST
from testkit.certificates import Authority
from testkit.ports import reserved_port

_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_LISTENERS = {"SECURE": "SASL_SSL", "MUTUAL": "SSL", "OPEN": "SASL_PLAINTEXT"}


def unsecured_token(claims: Mapping[str, object]) -> str:
    """A JWT without a signature, as Kafka takes it in tests; `sub`, `iat` and `exp` are required there."""
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, ""])


@dataclass(frozen=True, slots=True)
class SecuredListeners:
    """Ports of the listeners, and what the node is configured with. Every user has one password for all mechanisms.

    SASL takes unsecured tokens too (`unsecured_token`), which no password protects. The node has an authorizer. The plain listener,
    every client certificate and the first user may do everything; others need ACLs.
    """

    authority: Authority
    users: Mapping[str, str] = field(repr=False)
    sasl_ssl_port: int = field(default_factory=reserved_port)
    mutual_port: int = field(default_factory=reserved_port)
    sasl_plaintext_port: int = field(default_factory=reserved_port)

    def properties(self, plain_port: int, controller_port: int, folder: Path) -> str:
        """Lines of the node's configuration; they take the place of the listeners that it has otherwise."""
        certificate, key = self.authority.certificate(file="kafka-node")
        keystore = folder / "keystore.pem"
        keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
        keystore.chmod(0o600)
        addresses = [f"PLAINTEXT://{HOST}:{plain_port}"]
        ports = (self.sasl_ssl_port, self.mutual_port, self.sasl_plaintext_port)
        addresses += [f"{name}://{HOST}:{port}" for name, port in zip(_LISTENERS, ports, strict=True)]
        protocols = ",".join(f"{name}:{protocol}" for name, protocol in _LISTENERS.items())
        lines = [
            f"listeners={','.join(addresses)},CONTROLLER://{HOST}:{controller_port}",
            f"advertised.listeners={','.join(addresses)}",
            f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}",
            "inter.broker.listener.name=PLAINTEXT",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={keystore}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.authority.ca_file}",
            "listener.name.mutual.ssl.client.auth=required",
            f"ssl.principal.mapping.rules=RULE:^.*$/{next(iter(self.users))}/",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            f"super.users=User:ANONYMOUS;User:{next(iter(self.users))}",
        ]
        known = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        for listener in ("secure", "open"):
            lines.append(f"listener.name.{listener}.sasl.enabled.mechanisms=PLAIN,OAUTHBEARER,{','.join(_SCRAM)}")
            module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
            lines.append(f"listener.name.{listener}.oauthbearer.sasl.jaas.config={module} required;")
            module = "org.apache.kafka.common.security.plain.PlainLoginModule"
            lines.append(f"listener.name.{listener}.plain.sasl.jaas.config={module} required {known};")
            module = "org.apache.kafka.common.security.scram.ScramLoginModule"
            lines += [
                f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config={module} required;"
                for mechanism in _SCRAM
            ]
        return "\n".join(lines) + "\n"

    def format_arguments(self) -> list[str]:
        """Arguments with which the storage is formatted: SCRAM's users are records of the cluster."""
        return [
            part
            for mechanism in _SCRAM
            for name, password in self.users.items()
            for part in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]
