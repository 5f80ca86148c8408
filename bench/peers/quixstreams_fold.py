"""The fold in quixstreams, for the interpreter that has it: `python -m bench.peers.quixstreams_fold BLOCKS BROKER`.

BLOCKS is JSON lines of {place, pool, …}. They are produced to a topic of BROKER, one message a block, and folded in an `Application`
with its RocksDB state, without a changelog topic. Prints {version, cpu_seconds, totals} as JSON; the clock is around `run`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.peers.window_answers import Totals, add, fold_block

TOPIC: Final = "peer-blocks"
KEY: Final = b"bitcoin"
PATIENCE_SECONDS: Final = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blocks", type=Path)
    parser.add_argument("broker")
    chosen = parser.parse_args()
    lines = chosen.blocks.read_bytes().splitlines()
    quixstreams = importlib.import_module("quixstreams")
    with tempfile.TemporaryDirectory() as folder:
        app = quixstreams.Application(
            broker_address=chosen.broker,
            consumer_group="peer",
            auto_offset_reset="earliest",
            state_dir=folder,
            use_changelog_topics=False,
            loglevel="ERROR",
        )
        topic = app.topic(TOPIC, value_deserializer="json")
        # It makes a configuration for a changelog, used or not, from the topic's; the embedded broker states no retention.
        topic.broker_config.extra_config.setdefault("retention.ms", "-1")
        with app.get_producer() as producer:
            for line in lines:
                producer.produce(topic.name, line, key=KEY)
        totals: Totals = {}
        folded = 0

        def fold(value: dict[str, Any], state: Any) -> None:
            nonlocal folded
            add(totals, fold_block(state, value["place"], value["pool"]))
            folded += 1

        app.dataframe(topic).update(fold, stateful=True)
        began = time.process_time()
        app.run(count=len(lines), timeout=PATIENCE_SECONDS)
        seconds = time.process_time() - began
    if folded != len(lines):
        sys.exit(f"quixstreams folded {folded:,} of {len(lines):,} blocks")
    version = importlib.metadata.version("quixstreams")
    print(json.dumps({"version": version, "cpu_seconds": seconds, "totals": totals}))


if __name__ == "__main__":
    main()
