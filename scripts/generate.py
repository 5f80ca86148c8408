"""Write what follows from the metric specs and the SQL files: `sql/` (what is marked), docs/methodology.md, docs/tables.md.

    python scripts/generate.py [--check]

docs/tables.md is what the engine says of a new database, so an embedded ClickHouse is started for it; the service is not touched.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

from pydantic import SecretStr

from counterpoise.clickhouse import generate
from counterpoise.settings.endpoints import ClickHouseTarget
from desk import data_dictionary
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


def main(arguments: list[str]) -> int:
    """Write, or with `--check` name what is not current and return 1."""
    code = generate.main(arguments)
    page = tables_page()
    if page != data_dictionary.PAGE.read_text(encoding="utf-8"):
        if arguments == ["--check"]:
            sys.stderr.write(f"{data_dictionary.PAGE} is not what the engine says: run `make generate`\n")
            return 1
        data_dictionary.PAGE.write_text(page, encoding="utf-8")
        sys.stdout.write(f"wrote {data_dictionary.PAGE}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
