"""Write what follows from specs, chains, settings and SQL files: `sql/` (what is marked), and pages and tables in docs/.

    python scripts/generate.py [--check] [--no-engine]

docs/tables.md is what the engine says of a new database, so an embedded ClickHouse is started for it; the service is not touched.
`--no-engine` leaves that page as it is, for a change that touches no table, view or metric.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

import verified  # beside this file
from pydantic import SecretStr

from counterpoise.settings.endpoints import ClickHouseTarget
from desk import data_dictionary, generate
from desk.named_queries import named_queries
from engines.clickhouse.process import start_clickhouse


def tables_page() -> str:
    """docs/tables.md as it has to be."""
    with tempfile.TemporaryDirectory(prefix="counterpoise-generate-") as scratch:
        folder, password = Path(scratch), secrets.token_hex(16)
        password_file = folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password, encoding="utf-8")
        server = start_clickhouse(folder / "data", password_file=password_file, log_file=folder / "log")
        try:
            target = ClickHouseTarget("127.0.0.1", server.port, "default", SecretStr(password))
            return data_dictionary.page_of_a_new_database(target)
        finally:
            server.stop()


def queries_page() -> tuple[Path, str]:
    """docs/sql.md with its list of named queries."""
    page = generate.DOCS / "sql.md"
    cells = [(query.name, query.description.replace("|", "\\|")) for query in named_queries().values()]
    table = ["| name | answers |", "|---|---|", *(f"| `{name}` | {answers} |" for name, answers in cells)]
    return page, generate.with_part(page.read_text(encoding="utf-8"), "queries", "\n".join(table))


def settle(wanted: dict[Path, str], *, check: bool) -> bool:
    """Write what differs, or with `check` name it; whether anything did."""
    found = generate.stale(wanted)
    for path in found:
        if check:
            sys.stderr.write(f"{path} is not what follows from the files that it is made from: run `make generate`\n")
        elif path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
        else:
            path.unlink()
            sys.stdout.write(f"removed {path}\n")
    return bool(found)


def main(arguments: list[str]) -> int:
    """Write, or with `--check` name what is not current and return 1. The engine reads the SQL as it is then."""
    check = "--check" in arguments
    wanted = generate.generated() | dict([queries_page()]) | {verified.PAGE: verified.verified_page()}
    differs = settle(wanted, check=check)
    if "--no-engine" not in arguments and not (check and differs):
        differs |= settle(wanted | {data_dictionary.PAGE: tables_page()}, check=check)
    return int(check and differs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
