"""The embedded ClickHouse in the place of the image clickhouse/clickhouse-server: a script, which a container of the test runs.

It listens on every address of its container at the image's ports. Its users are the administrator of CLICKHOUSE_USER and
CLICKHOUSE_PASSWORD_FILE, and those that `clickhouse_client.py` sent, with their salted hashes. Nobody is called `default`.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import signal
import sys
from pathlib import Path

from engines.clickhouse.auth import User, Users
from engines.clickhouse.clickhouse_server import Address, Server
from engines.clickhouse.exceptions import ServerError
from tests.integration.compose.clickhouse_client import AUTHENTICATION_FAILED, CREATED, SENT

DATA = Path("/var/lib/clickhouse")


class UsersOfCompose(Users):
    """The administrator, and users whose password is known by its hash alone."""

    def __init__(self) -> None:
        super().__init__(b"\0")
        self._administrator = os.environ["CLICKHOUSE_USER"]
        self._password = Path(os.environ["CLICKHOUSE_PASSWORD_FILE"]).read_bytes()

    def check(self, name: str, password: bytes) -> User:
        if name == self._administrator:
            right = hmac.compare_digest(self._password, password)
        else:
            sent = SENT.read_text(encoding="utf-8") if SENT.exists() else ""
            known = {user: (digest, salt) for user, digest, salt in CREATED.findall(sent)}
            digest, salt = known.get(name, ("", ""))
            right = hmac.compare_digest(digest, hashlib.sha256(password + salt.encode()).hexdigest())
        if not right:
            raise ServerError(AUTHENTICATION_FAILED, f"{name}: Authentication failed")
        return User(name, password, readonly=False)


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    server = Server(DATA / "data", Address("0.0.0.0", 9000, 8123), UsersOfCompose())  # noqa: S104 - in its own network
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server.serve()
    signal.sigwait([signal.SIGTERM])
    server.close()
    sys.stdout.flush()
    os._exit(0)  # as `python -m engines.clickhouse` does


if __name__ == "__main__":
    main()
