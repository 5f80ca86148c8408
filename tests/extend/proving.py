"""What proofs share. A proof is `proof.py` of an example: pytest runs it in a copy of the project with the example applied."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.settings.endpoints import ClickHouseTarget

PORT: Final = "COUNTERPOISE_TEST_EXTEND_PORT"
PASSWORD_FILE: Final = "COUNTERPOISE_TEST_EXTEND_PASSWORD_FILE"
DATABASE: Final = "COUNTERPOISE_TEST_EXTEND_DATABASE"


@dataclass(frozen=True)
class Upgraded:
    """A dataset that the code without the example made and the code with it migrated, and what `migrate` did."""

    ch: ClickHouse
    done: list[str]


def target() -> ClickHouseTarget:
    """The server of the outer test."""
    password = Path(os.environ[PASSWORD_FILE]).read_text(encoding="utf-8")
    return ClickHouseTarget("127.0.0.1", int(os.environ[PORT]), "default", SecretStr(password))


def command(*arguments: str, database: str = "none") -> str:
    """What `counterpoise ARGUMENTS` prints, on the dataset of that name."""
    named = {
        "COUNTERPOISE_DATASET": database,
        "COUNTERPOISE_DATASET_KIND": "simulated",
        "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
        "COUNTERPOISE_CLICKHOUSE__PORT": os.environ[PORT],
        "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": os.environ[PASSWORD_FILE],
    }
    done = subprocess.run(
        [sys.executable, "-m", "counterpoise", *arguments],
        env=os.environ | named,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
