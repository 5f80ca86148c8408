"""As much of the program clickhouse-client as a client's test suite calls: one statement, its settings, its answer on stdout.

It sends the statement over HTTP, to CLIENT_HTTP_PORT as `default` with CLIENT_PASSWORD: the suites give neither.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.parse
import urllib.request


def main(arguments: list[str]) -> int:
    given = dict(zip((name.removeprefix("--") for name in arguments[::2]), arguments[1::2], strict=True))
    sql = given.pop("query")
    for name in ("host", "port"):
        given.pop(name)
    if given.pop("use_client_time_zone", "0") == "1":
        given["session_timezone"] = os.environ["TZ"]
    url = f"http://127.0.0.1:{os.environ['CLIENT_HTTP_PORT']}/?{urllib.parse.urlencode(given)}"
    headers = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": os.environ["CLIENT_PASSWORD"]}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, sql.encode(), headers)) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        sys.stderr.buffer.write(error.read())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
