"""Does a broker let this client in? Asked by hand, because kafka-python often reports a refused password as a timeout.

The broker answers a wrong password and closes the connection at once, and kafka-python drops an answer that arrives with the end.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

from counterpoise.kafka.broker_probe import NO_MECHANISM, BrokerConversation, conversation, offered_mechanisms
from counterpoise.kafka.listener import Listener, mismatch
from counterpoise.settings.security import KAFKA_PREFIX, KafkaSecurity

_TIMEOUT_SECONDS = 5.0
"""A handshake, a salted password, or a broker that shares a busy machine take their time."""


def login_fault(security: KafkaSecurity, arguments: Mapping[str, Any], host: str, port: int) -> str | None:
    """Why a broker that answers does not let the client in, and the next step; None where it does.

    `arguments` are those of `client_arguments`. OSError where it does not answer in this way. The password is sent only to a listener
    of the protocol that the settings name.
    """
    context: ssl.SSLContext | None = arguments.get("ssl_context")
    with conversation(host, port, _TIMEOUT_SECONDS, context) as broker:
        broker.versions()
        mechanisms = offered_mechanisms(broker, security.mechanism or NO_MECHANISM)
        why = mismatch(security, Listener(context is not None, mechanisms))
        if why is not None or security.mechanism is None or _is_let_in(broker, arguments, host):
            return why
    return refusal(security)


def refusal(security: KafkaSecurity) -> str:
    """The message for a login that was refused."""
    if security.token_file is not None:
        return f"it refuses the token in {str(security.token_file)!r} ({security.mechanism}): check {KAFKA_PREFIX}TOKEN_FILE"
    return (
        f"it refuses user {security.user!r} with this password ({security.mechanism}): check {KAFKA_PREFIX}USER, "
        f"{KAFKA_PREFIX}PASSWORD_FILE and {KAFKA_PREFIX}SASL_MECHANISM"
    )


def _is_let_in(broker: BrokerConversation, arguments: Mapping[str, Any], host: str) -> bool:
    login = get_sasl_mechanism(arguments["sasl_mechanism"])(host=host, **arguments)
    while not login.is_done():
        code, answer = broker.authenticate(login.auth_bytes())
        if code:
            return False
        try:
            login.receive(answer)
        except (KeyError, ValueError):  # SCRAM: the broker does not prove that it knows the password
            return False
    return bool(login.is_authenticated())
