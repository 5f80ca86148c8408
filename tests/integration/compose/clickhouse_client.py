"""`clickhouse-client` for deploy/clickhouse/users.sh in a container of the test: a script.

The embedded engine stores no users. So this one proves with a connection that the administrator may come in, and leaves the
statements of its standard input where `clickhouse_server.py` reads users from.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

AUTHENTICATION_FAILED: Final = 516
SENT: Final = Path("/users/sent.sql")
"""In a folder that the containers `users` and `clickhouse` share."""
CREATED: Final = re.compile(r"^ALTER USER (\w+) IDENTIFIED WITH sha256_hash BY '(\w+)' SALT '(\w+)';", re.MULTILINE)


def main(arguments: list[str]) -> None:
    host, user = arguments[arguments.index("--host") + 1], arguments[arguments.index("--user") + 1]
    with Client(host, user=user, password=os.environ["CLICKHOUSE_PASSWORD"]) as client:
        client.execute("SELECT 1")
    part = SENT.with_suffix(".part")
    part.write_text(sys.stdin.read(), encoding="utf-8")
    part.replace(SENT)


if __name__ == "__main__":
    main(sys.argv[1:])
