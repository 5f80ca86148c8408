"""Our fold beside other systems on the same blocks, in CPU seconds of one run.

    python -m bench.peers [--blocks N] [--edinburgh DIR] [--write]
    python -m bench.peers --install

`--install` puts quixstreams into an environment of its own under the cache folder. Without it that peer is left out, and without
`--edinburgh`, the folder of the consensus-decentralization project, so are its functions. Answers that differ from ours end the run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.parts import say
from bench.peers import clickhouse_fold, edinburgh_fold, quixstreams_install
from bench.peers.our_fold import attributed, peer_lines, whole_fold, windows_alone
from bench.peers.rates import Peer, check_alike, table
from bench.report import machine, write_part
from bench.side_by_side import add_against, chosen_options, compared
from bench.simulated_blocks import simulated
from bench.stand import ends_in_order, engines
from counterpoise.runtime.logs import configure_logging
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings


def main() -> None:
    chosen = arguments(sys.argv[1:])
    if chosen.install:
        print(f"quixstreams {quixstreams_install.install()} in {quixstreams_install.environment()}")
        return
    if compared("peers", chosen, chosen_options(chosen, "blocks", "edinburgh")):
        return
    configure_logging("text", "error")
    with ends_in_order():
        text = measure(chosen.blocks, chosen.edinburgh)
    print(text)
    if chosen.write:
        write_part("peers", text)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What was asked for; the parser ends the process where it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=100_000, help="how many blocks, from the lowest on")
    parser.add_argument(
        "--edinburgh", type=Path, metavar="DIR", help="folder of the consensus-decentralization project"
    )
    parser.add_argument("--install", action="store_true", help="install quixstreams for this benchmark, and end")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    add_against(parser)
    chosen = parser.parse_args(given)
    if chosen.blocks < 1:
        parser.error("--blocks is at least 1")
    if chosen.install and (chosen.write or chosen.edinburgh):
        parser.error("--install measures nothing: leave out the other options")
    return chosen


def measure(blocks: int, edinburgh: Path | None) -> str:
    """Every system on the same blocks, one after the other; the text for the page."""
    with engines() as folder:
        settings = Settings.load()
        events = simulated(blocks)
        pools = attributed(events)
        lines = peer_lines(events, pools)
        say("ours")
        ours = Peer(whole_fold(events, settings.ingest.events_per_message), ("yes",) * 6)
        alone = Peer(windows_alone(pools, [event.time for event in events]), ("yes", "no", "yes", "yes", "no", "no"))
        peers = [alone]
        if quixstreams_install.interpreter().exists():
            say("quixstreams")
            (folder / "peer-blocks.jsonl").write_bytes(b"\n".join(lines))
            rate = quixstreams_install.folded(
                folder / "peer-blocks.jsonl", len(lines), kafka_target(settings).bootstrap
            )
            peers.append(Peer(rate, ("yes", "yes", "no", "no", "no", "no")))
        else:
            say("quixstreams is left out: python -m bench.peers --install")
    say("ClickHouse")
    peers.append(Peer(clickhouse_fold.folded(lines), ("yes", "no", "no", "no", "no", "no")))
    check_alike([ours.rate, *(peer.rate for peer in peers)])
    if edinburgh is not None:
        say("Edinburgh")
        rate, totals = edinburgh_fold.folded(edinburgh, pools)
        ours_too = {window: sums[:2] for window, sums in ours.rate.totals.items()}
        if totals != ours_too:
            raise SystemExit(f"{rate.name} answers {totals}, ours {ours_too}")
        peers.append(Peer(rate, ("yes", "no", "no", "no", "no", "no")))
    return f"{machine()}; {len(events):,} blocks:\n\n{table(ours, peers)}"


if __name__ == "__main__":
    main()
