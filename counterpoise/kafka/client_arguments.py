"""From security to the arguments of a Kafka client: the one translation. kafka-python and aiokafka take the same names.

Only the provider of a token differs: aiokafka awaits it (`streams.faust_app`).
"""

from __future__ import annotations

import ssl
from typing import Any

from counterpoise.kafka.token_file import TokenFile
from counterpoise.redaction import HIDDEN
from counterpoise.settings.security import KafkaSecurity


class HiddenText(str):
    """A text that is printed as `[hidden]` within other values: kafka-python logs all of its arguments at the level debug."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{HIDDEN}'"


def client_arguments(security: KafkaSecurity, context: ssl.SSLContext | None) -> dict[str, Any]:
    """Arguments that make a client connect with this security. `context` is that of `security.tls`, and None without.

    ValueError where one of the two has TLS and the other has not: such a client would connect in another way than was set.
    """
    if (context is None) != (security.tls is None):
        raise ValueError(f"a TLS context is {'missing' if context is None else 'given'} for {security.protocol}")
    arguments: dict[str, Any] = {"security_protocol": security.protocol}
    if context is not None:
        arguments["ssl_context"] = context
    if security.mechanism is not None:
        arguments["sasl_mechanism"] = security.mechanism
    if security.token_file is not None:
        arguments["sasl_oauth_token_provider"] = TokenFile(security.token_file)
    elif security.mechanism is not None:
        arguments["sasl_plain_username"] = security.user
        arguments["sasl_plain_password"] = HiddenText(security.password.get_secret_value() if security.password else "")
    return arguments
