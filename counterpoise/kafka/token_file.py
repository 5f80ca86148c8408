"""The token of SASL OAUTHBEARER, which something else renews in a file: read anew at each connection, and refused before it is sent
where it cannot be one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kafka.net.sasl.oauth import AbstractTokenProvider

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.section import read_secret
from counterpoise.settings.security import KAFKA_PREFIX

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""What may follow `Bearer` (RFC 6750, 2.1). A control character would end the field and begin another."""


@dataclass(frozen=True)
class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """kafka-python's provider of tokens. It keeps none, so that each login has what the file then holds."""

    file: Path
    now: Callable[[], float] = field(default=SystemClock().now, compare=False, repr=False)
    """Seconds since the epoch."""

    def token(self) -> str:
        """The token. ConfigError names the file and what is wrong with it: it cannot be read, is empty or malformed, or has expired.

        A token of three parts is a JWT if its second part decodes to an object; its `exp` is then compared with the clock. Any other
        token has meaning for the broker only.
        """
        secret = read_secret(None, self.file, f"{KAFKA_PREFIX}TOKEN")
        token = "" if secret is None else secret.get_secret_value().strip()
        named = f"{KAFKA_PREFIX}TOKEN_FILE names {str(self.file)!r}"
        if not token:
            raise ConfigError(f"{named}, which is empty: write the token into it")
        if not _TOKEN.fullmatch(token):
            raise ConfigError(f"{named}, which is not a token: expected one line of letters, digits and -._~+/=")
        expires = expiry(token)
        if expires is not None and expires <= self.now():
            raise ConfigError(
                f"{named}, whose token has expired{_since(expires)}: renew it, or set this machine's clock"
            )
        return token


def expiry(token: str) -> float | None:
    """When a JWT expires, in seconds since the epoch; None for one without `exp`, and for a token of another form. Pure."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        found = payload.get("exp") if isinstance(payload, dict) else None
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
    except (ValueError, OverflowError, RecursionError):
        return None


def _since(seconds: float) -> str:
    try:
        return f" at {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return ""
