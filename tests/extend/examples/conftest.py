"""For proofs. The tests inside an example belong to the project that it is applied to, not to this one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.migrations import migrate
from counterpoise.contracts.datasets import Dataset
from tests.extend.proving import DATABASE, Upgraded, target

collect_ignore_glob = ["*/tests/*"]


@pytest.fixture(scope="session")
def upgraded() -> Iterator[Upgraded]:
    """See Upgraded."""
    database = os.environ[DATABASE]
    done = migrate(target(), Dataset(database, "simulated"))
    with connect(target(), database) as ch:
        yield Upgraded(ch, done)
