"""clickhouse-connect over HTTP."""

from __future__ import annotations

import re
import threading

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from tests.clients.python import steps


def client_of(asked: steps.Asked) -> Client:
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=asked.http_port,
        database=asked.database,
        username=asked.user,
        password=asked.password,
        autogenerate_session_id=False,
    )


def failed(error: Exception) -> tuple[int, str]:
    """The code stands in the message; the exception has no field for it."""
    while error.__cause__ is not None and not isinstance(error, ClickHouseError):
        error = error.__cause__  # type: ignore[assignment]
    found = re.search(r"[Cc]ode: (\d+)", str(error))
    return int(found[1]) if found else -1, str(error)


def cancel_by_kill(asked: steps.Asked, run: object) -> str:
    """Neither the client nor its dialect has a cancel: KILL QUERY by the id is the way that their manuals give."""
    outcome: list[str] = []

    def work() -> None:
        try:
            run()  # type: ignore[operator]
            outcome.append("answered")
        except Exception as error:
            outcome.append("stopped" if failed(error)[0] == 394 else str(error))

    thread = threading.Thread(target=work)
    thread.start()
    steps.running()
    other = client_of(asked)
    other.command(f"KILL QUERY WHERE query_id = '{asked.query_id}'")
    thread.join()
    other.close()
    return outcome[0]


def main() -> None:
    asked = steps.asked()
    client = client_of(asked)

    def insert() -> object:
        client.insert(asked.table, [[n, f"row {n}"] for n in (1, 2, 3)], column_names=["n", "s"])
        return client.query(f"SELECT n, s FROM {asked.table} ORDER BY n").result_rows

    def stream() -> object:
        count = total = 0
        with client.query_row_block_stream(asked.stream) as blocks:
            for block in blocks:
                count += len(block)
                total += sum(row[0] for row in block)
        return [count, total]

    def cancel() -> object:
        return cancel_by_kill(asked, lambda: client.query(asked.slow, settings={"query_id": asked.query_id}))

    steps.run(
        {
            "connect": lambda: client.command("SELECT version()"),
            "list": lambda: sorted(name for (name,) in client.query("SHOW TABLES").result_rows),
            "describe": lambda: [row[:2] for row in client.query("DESCRIBE TABLE typed").result_rows],
            "select": lambda: client.query(asked.select).first_row,
            "parameters": lambda: (
                client.query("SELECT {n:Int32}, {s:String}", parameters={"n": 7, "s": asked.text}).first_row
            ),
            "insert": insert,
            "stream": stream,
            "error": lambda: client.query(asked.wrong).result_rows,
            "cancel": cancel,
        },
        failed,
    )


if __name__ == "__main__":
    main()
