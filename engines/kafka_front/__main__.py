"""`python -m engines.kafka_front --port P -- BROKER ARGUMENT…`: run a broker until it or this process ends.

Clients connect to the port, and the broker listens on another one. It ends with this process, also where that is killed (on
Linux), and this process ends with it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from engines.kafka_front.fronted_broker import run_broker


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m engines.kafka_front", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("broker", nargs="+")
    chosen = parser.parse_args(given)
    return run_broker(chosen.broker, chosen.port)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code if code >= 0 else 128 - code)  # threads may be in the middle of a message
