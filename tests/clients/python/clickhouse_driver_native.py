"""clickhouse-driver over the native protocol."""

from __future__ import annotations

from clickhouse_driver import Client
from clickhouse_driver.errors import Error

from tests.clients.python import steps


def main() -> None:
    asked = steps.asked()

    def client() -> Client:
        return Client("127.0.0.1", asked.port, asked.database, asked.user, asked.password)

    shared = client()

    def insert() -> object:
        shared.execute(f"INSERT INTO {asked.table} VALUES", [(n, f"row {n}") for n in (1, 2, 3)])
        return shared.execute(f"SELECT n, s FROM {asked.table} ORDER BY n")

    def stream() -> object:
        count = total = 0
        for number, _ in shared.execute_iter(asked.stream, settings={"max_block_size": 65_536}):
            count += 1
            total += number
        return [count, total]

    def cancel() -> object:
        stopped = client()
        stopped.execute_with_progress(asked.slow, query_id=asked.query_id)
        steps.running()
        stopped.cancel()  # sends the packet and reads up to the end of the stream
        stopped.disconnect()
        return "stopped"

    steps.run(
        {
            "connect": lambda: shared.execute("SELECT version()")[0][0],
            "list": lambda: sorted(name for (name,) in shared.execute("SHOW TABLES")),
            "describe": lambda: [row[:2] for row in shared.execute("DESCRIBE TABLE typed")],
            "select": lambda: shared.execute(asked.select)[0],
            "parameters": lambda: shared.execute("SELECT %(n)s, %(s)s", {"n": 7, "s": asked.text})[0],
            "insert": insert,
            "stream": stream,
            "error": lambda: shared.execute(asked.wrong),
            "cancel": cancel,
        },
        lambda error: (error.code, str(error)) if isinstance(error, Error) else (-1, repr(error)),
    )


if __name__ == "__main__":
    main()
