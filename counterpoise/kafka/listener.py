"""What a broker's port speaks, and whether that fits the settings.

A client that speaks TLS to a port without it, or no SASL to one that requires it, sees a closed connection or a timeout. Asking
the port in each way gives the reason. Only questions that a broker answers to anyone are asked, so that no secret is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterpoise.kafka.broker_probe import conversation, offered_mechanisms
from counterpoise.runtime.tls import closing_error, fault_of, unverified_context
from counterpoise.settings.security import KAFKA_PREFIX, KafkaSecurity


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that a broker answers on. `mechanisms` is None without SASL, or where they are not known."""

    tls: bool
    mechanisms: tuple[str, ...] | None

    @property
    def protocol(self) -> str:
        """Kafka's name for it."""
        return ("" if self.mechanisms is None else "SASL_") + ("SSL" if self.tls else "PLAINTEXT")


def find_listener(host: str, port: int, timeout_seconds: float = 2.0) -> Listener | None:
    """What answers at this address, whoever it is; None where no broker does.

    A broker that requires a client certificate shows its mechanisms to no client without one.
    """
    for tried in (None, unverified_context()):
        try:
            with conversation(host, port, timeout_seconds, tried) as broker:
                broker.versions()
                return Listener(tried is not None, offered_mechanisms(broker))
        except OSError:
            if (
                tried is not None
                and fault_of(closing_error(host, port, tried, timeout_seconds)) == "client certificate"
            ):
                return Listener(tls=True, mechanisms=None)
    return None


def mismatch(security: KafkaSecurity, listener: Listener) -> str | None:
    """How the listener differs from the settings, and the next step; None where they fit. Pure."""
    p = KAFKA_PREFIX
    if security.protocol != listener.protocol:
        offers = f" ({', '.join(listener.mechanisms)})" if listener.mechanisms else ""
        return (
            f"this port is {listener.protocol}{offers}, and {p}SECURITY_PROTOCOL is {security.protocol}: "
            f"set {p}SECURITY_PROTOCOL to {listener.protocol}, or connect to another port"
        )
    if security.mechanism is not None and listener.mechanisms and security.mechanism not in listener.mechanisms:
        return f"it offers {', '.join(listener.mechanisms)}, and {p}SASL_MECHANISM is {security.mechanism}: set one of these"
    return None
