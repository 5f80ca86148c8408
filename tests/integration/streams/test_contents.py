"""What a block contains stays with it: through storage, a restart of streams, and a switch that makes it stale."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from counterpoise.clickhouse.client import connect
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.topics import BLOCKS
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.worker_store import WorkerStore
from tests.engines import ClickHouseServer
from tests.integration.streams.blocks import HARD_BITS, block, branch
from tests.integration.streams.envelopes import envelope_of
from tests.template import make_database

CONTENTS: Final = {
    "transactions": 3_823,
    "size_bytes": 1_578_209,
    "weight": 3_993_461,
    "match_ratio": 0.997,
    "similarity_ratio": 1 / 3,
    "expected_fees_sats": 7_342_711,
    "expected_weight": 3_991_920,
}


def test_contents_stay_with_their_block(clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    name = f"contents_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(name, "simulated"))
    trunk = branch(20)
    trunk[-1] = trunk[-1].model_copy(update=CONTENTS)
    rival = block(trunk[-1].height, trunk[-2].hash, label="luxor", bits=HARD_BITS, salt="heavier")
    with ServiceStatus("streams", tmp_path, SystemClock()) as status:
        for events in (trunk, [rival]):  # a worker for each: the second one reads what the first one stored
            waiter = Waiter(SystemClock(), status, lambda: False)
            store = WorkerStore(connect(clickhouse.target, name), waiter)
            worker = BlockWorker(store, dataset=name, limit=DeadLetterLimit(0, 0.5))
            worker.assign(frozenset(range(BLOCKS.partitions)))
            worker.handle([RawMessage(*envelope_of(name, events))])
            worker.close()
    with connect(clickhouse.target, name) as ch:
        rows = ch.query(
            f"SELECT toString(status), {', '.join(CONTENTS)} FROM blocks_all WHERE hash IN {{hashes:Array(String)}} ORDER BY status",
            {"hashes": [trunk[-1].hash, rival.hash]},
        )
        assert rows == [("stale", *CONTENTS.values()), ("canonical", *[None] * len(CONTENTS))]
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})
