"""Attribute everything anew while blocks come in: old numbers stay, new ones appear at once, and nothing in between is shown."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
import yaml

from counterpoise.contracts.blocks import BlockEvent
from tests.forked import ForkedProcess, run_forked, start_forked
from tests.integration.streams.blocks import block, branch
from tests.integration.streams.independent import assert_recomputes
from tests.integration.streams.line import KILLED, ROOT, Engines, Line, line_on
from tests.integration.streams.tables import checksums, wait_until_consistent
from tests.waiting import PATIENCE_SECONDS

BLOCKS = 4_600
"""More than the longest window, and than the 4,000 that are attributed at once: a run can die between two parts."""


@pytest.fixture(scope="module")
def merged_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped registry, with SBI Crypto's label given to Foundry."""
    document = yaml.safe_load((ROOT / "counterpoise/pools/data/registry.yaml").read_text(encoding="utf-8"))
    pools = {pool["slug"]: pool for pool in document["pools"]}
    pools["sbi-crypto"]["aliases"].remove("sbicrypto")
    pools["foundry-usa"].setdefault("aliases", []).append("sbicrypto")
    pools["sbi-crypto"]["name"] = "SBI"  # its old name, without spaces, is the label too
    pools["sbi-crypto"]["slug"] = "sbi"
    pools["sbi-crypto"]["aliases"] = []
    path = tmp_path_factory.mktemp("registry") / "registry.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def live(engines: Engines) -> Iterator[tuple[Line, list[BlockEvent]]]:
    """A line with a worker and some thousand blocks."""
    with line_on(engines, "sets") as line:
        worker = line.start(settings={"COUNTERPOISE_STREAMS__TAKE_MESSAGES": "8"})
        blocks = branch(BLOCKS)
        line.send(blocks, events_per_message=500)
        line.drain()
        yield line, blocks
        assert worker.stop() == 0, worker.tail()


@dataclass(frozen=True)
class Reattribution:
    """`counterpoise pools reattribute`, and what it says."""

    process: ForkedProcess
    output: IO[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def died(self) -> bool:
        """True once it was killed at its crash point; False where it ended in another way."""
        return self.process.wait(PATIENCE_SECONDS) == KILLED

    def told(self) -> str:
        """All of it, once it has ended in order."""
        code = self.process.wait(PATIENCE_SECONDS)
        self.output.seek(0)
        told = " ".join(self.output.read().decode().split())
        assert code == 0, told
        return told


@contextmanager
def reattribution(line: Line, *options: str, crash: str = "") -> Iterator[Reattribution]:
    with tempfile.TemporaryFile() as output:
        environment = {**line.environment("cli"), "COUNTERPOISE_CRASH_POINT": crash}
        process = start_forked(["pools", "reattribute", *options], environment, ROOT, output)
        started = Reattribution(process, output)
        try:
            yield started
        finally:
            started.kill()
            if process.stdin is not None:
                process.stdin.close()


def current_set(line: Line) -> str:
    [(attribution_id,)] = line.ch.query(
        "SELECT attribution_id FROM attribution_pointer_log FINAL WHERE chain = 'bitcoin'"
    )
    return str(attribution_id)


def test_reattribution_of_a_live_chain(live: tuple[Line, list[BlockEvent]], merged_registry: Path) -> None:
    line, blocks = live
    old_id = current_set(line)
    before = checksums(line)

    # Killed on its way, and with only the switch missing: what it wrote is not shown, and does no harm.
    written = f"SELECT max(height) FROM concentration_log WHERE attribution_id != '{old_id}'"
    for crash, reached in (("reattribute-after-part:1", blocks[3_999]), ("reattribute-before-flip", blocks[-1])):
        with reattribution(line, "--registry", str(merged_registry), crash=crash) as killed:
            assert killed.died()
        assert line.ch.query(written) == [(reached.height,)]
        assert current_set(line) == old_id
    time.sleep(2.5)  # the worker sees that another writer was here
    hidden = {"pool_names", "attribution_sets"}  # these two list every set that was ever computed
    after = checksums(line)
    assert {view: rows for view, rows in after.items() if view not in hidden} == {
        view: rows for view, rows in before.items() if view not in hidden
    }

    # Run again, while blocks and a reorganisation come in.
    tail = branch(30, blocks[-1], salt="live")
    loser, winner = branch(3, tail[-1], salt="loser"), branch(5, tail[-1], salt="winner")
    with reattribution(line, "--registry", str(merged_registry)) as running:
        for part in (tail[:15], tail[15:], loser, winner):
            line.send(part, events_per_message=5)
            time.sleep(0.3)
        told = running.told()
    new_id = current_set(line)
    assert new_id != old_id
    line.drain()
    more = branch(10, winner[-1], salt="more")
    line.send(more)
    line.drain()
    canonical = [*blocks, *tail, *winner, *more]
    line.wait_for(
        f"SELECT max(height) FROM concentration WHERE attribution_id = '{new_id}' AND window_blocks = 144",
        canonical[-1].height,
    )

    # The new set: every block that SBI Crypto had is Foundry's now, and nobody else's changed.
    wait_until_consistent(line)
    shown = line.ch.query("SELECT label, pool, count() FROM blocks GROUP BY label, pool")
    assert {pool for label, pool, _ in shown if label in ("sbicrypto", "foundryusa")} == {"foundry-usa"}
    assert {pool for _, pool, _ in shown} & {"sbi", "sbi-crypto"} == set()
    moved = sum(event.label == "sbicrypto" for event in blocks)
    found = re.search(r"(\d+) have another pool than under", told)
    assert found is not None, told
    late = sum(
        event.label == "sbicrypto" for event in [*tail, *loser, *winner]
    )  # stored before the switch, or after it
    assert moved <= int(found[1]) <= moved + late
    heights = [
        event.height
        for event in (*blocks[:3], *blocks[140:150], *blocks[4_310:4_330], *blocks[-5:], *tail[-5:], *winner, *more)
    ]
    assert_recomputes(line, "bitcoin", heights)

    # The old set: its numbers reproduce by its id, from the pools that it named.
    old_pool = dict(line.ch.query(f"SELECT hash, pool FROM attributions_of(attribution_id = '{old_id}')"))
    assert "sbi-crypto" in old_pool.values()
    covered = [event for event in canonical if event.hash in old_pool]
    assert len(covered) >= BLOCKS
    assert [event.hash for event in covered] == [event.hash for event in canonical[: len(covered)]]
    pool_of = {event.hash: old_pool.get(event.hash, "unknown") for event in canonical}
    reach = [height for height in heights if height <= covered[-1].height]
    assert_recomputes(
        line,
        "bitcoin",
        reach,
        source=f"concentration_of(attribution_id = '{old_id}')",
        attribution_id=old_id,
        pool_by_hash=pool_of,
    )
    assert_explained(line, old_id, new_id, at=blocks[-1].height, to=canonical[-1].height)


def assert_explained(line: Line, old_id: str, new_id: str, *, at: int, to: int) -> None:
    """`counterpoise explain --attribution` between a window of the old set and one of the new set: parts are what the stored values
    of both sets differ by, and sum to the change. Both sets have one entity map."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["explain", "hhi_10000", "--window", "1008", "--attribution", old_id, *arguments]
        return run_forked(command, line.environment("explain") | {"COLUMNS": "160"}, ROOT)

    for view in ("raw", "entity"):
        then, now, last = (
            line.ch.query(
                "SELECT hhi_10000 FROM concentration_of(attribution_id = {id:String}) WHERE chain = 'bitcoin' "
                "AND view = {view:String} AND window_blocks = 1008 AND height = {height:UInt32}",
                {"id": attribution_id, "view": view, "height": height},
            )[0][0]
            for attribution_id, height in ((old_id, at), (new_id, at), (new_id, to))
        )
        for height, value in ((at, now), (to, last)):
            told = run("--view", view, "--from-height", str(at), "--height", str(height), "--json")
            assert (told.returncode, told.stderr) == (0, "")
            found = json.loads(told.stdout)
            assert (found["before"]["attribution_id"], found["attribution_id"]) == (old_id, new_id)
            assert (found["before"]["value"], found["after"]["value"]) == pytest.approx((then, value), rel=1e-9)
            assert found["attribution"] == pytest.approx(now - then, rel=1e-6)
            assert found["attribution"] > 50, "Foundry has the blocks of SBI Crypto too"
            parts = sum(part["change"] for part in found["parts"])
            assert found["attribution"] + found["entity_map"] + parts == pytest.approx(found["change"], abs=1e-6)
            assert (found["entity_map"], parts) == pytest.approx((0, value - now), abs=1e-6)
    shown = run("--from-height", str(at))
    assert (shown.returncode, shown.stderr) == (0, "") and "changes of attribution" in shown.stdout


def test_reattribution_as_json(live: tuple[Line, list[BlockEvent]]) -> None:
    line, _ = live
    before = current_set(line)
    done = run_forked(["pools", "reattribute", "--json"], line.environment("cli"), ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    after = current_set(line)
    [(blocks,)] = line.ch.query("SELECT count() FROM blocks")
    assert found.pop("changed_blocks") > 0 if after != before else found.pop("changed_blocks") == 0
    assert found == {
        "complete": True,
        "dataset": line.ch.database,
        "chain": "bitcoin",
        "blocks": blocks,
        "attribution_id": after,
        "previous_attribution_id": before,
    }
    text = "was current already" if after == before else "have another pool than under"
    assert text in done.stderr
    unknown = run_forked(["pools", "reattribute", "--chain", "signet", "--json"], line.environment("cli"), ROOT)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    wait_until_consistent(line)


def newest_block(line: Line, *, below: int = 0) -> BlockEvent:
    """The block at the tip, or so many heights below it; only height and hash are those of the stored one."""
    [(height, hash_)] = line.ch.query(
        "SELECT height, hash FROM blocks WHERE height = (SELECT max(height) FROM blocks) - {below:UInt32}",
        {"below": below},
    )
    return block(height, "00" * 32).model_copy(update={"hash": hash_})


# Long: the way back; the way there stays above.
@pytest.mark.long
def test_going_back_to_the_shipped_set_shows_it_whole(
    live: tuple[Line, list[BlockEvent]], merged_registry: Path
) -> None:
    """The old set comes back, with the blocks that came while it was not current; running it once more changes nothing."""
    line, _ = live
    with reattribution(line, "--registry", str(merged_registry)) as there:
        there.told()
    wait_until_consistent(line)
    line.send(branch(20, newest_block(line), salt="while it was not current"))
    line.drain()
    left = current_set(line)
    with reattribution(line) as back:
        back.told()
    assert current_set(line) != left
    wait_until_consistent(line)
    assert "sbi-crypto" in {pool for (pool,) in line.ch.query("SELECT DISTINCT pool FROM blocks")}
    [(tip,)] = line.ch.query("SELECT max(height) FROM blocks")
    assert_recomputes(line, "bitcoin", [tip - 40, tip - 12, tip - 1, tip])
    before = checksums(line)
    with reattribution(line) as again:
        assert "was current already" in again.told()
    assert checksums(line) == before
    # Its rows stand under a later epoch than the worker's: a reorganisation must still win.
    winner = branch(2, newest_block(line, below=1), salt="after")
    line.send(winner)
    line.drain()
    wait_until_consistent(line)
    assert line.ch.query(
        "SELECT argMax(hash, height), argMax(tip_hash, c.height) FROM blocks AS b, concentration AS c"
    )[0] == (
        winner[-1].hash,
        winner[-1].hash,
    )
