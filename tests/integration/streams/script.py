"""A script of messages with everything in it that can happen to a chain, and what the tables are when nothing disturbs it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

from counterpoise.contracts.blocks import BlockEvent
from tests.integration.streams.blocks import HARD_BITS, block, branch
from tests.integration.streams.line import Line

MESSAGES, MANY_MESSAGES = 40, 200
"""All kinds of messages are among the first 40, and nine tenths of the blocks that lose. `make soak` kills through the first 120 or
so of 200: at most 70 up to crash points, and those of a second and a half."""
SEED = int(os.environ.get("COUNTERPOISE_TEST_SEED", "20260422"))


@dataclass(frozen=True)
class Part:
    """One message: the key that it goes under, and blocks, or bytes that are none."""

    key: bytes
    events: tuple[BlockEvent, ...] = ()
    noise: bytes = b""

    def value(self, line: Line) -> bytes:
        return line.envelope(self.events) if self.events else self.noise


def script(seed: int, messages: int = MESSAGES) -> list[Part]:
    """Two chains that grow, fork, wait for parents, repeat themselves, and noise between them.

    Their heights are far apart, and their names would share a partition by hash: they have one each by their numbers.
    """
    draw = random.Random(seed)
    starts = {"bitcoin": 715_000, "litecoin": 720_000}
    chains = {
        name: branch(200, first_height=start, chain=name, salt="start", seed=seed) for name, start in starts.items()
    }
    parts = [Part(name.encode(), tuple(events)) for name, events in chains.items()]
    while len(parts) < messages:
        name = draw.choice(["bitcoin", "bitcoin", "bitcoin", "litecoin"])
        chain, key, salt = chains[name], name.encode(), str(len(parts))
        kind = draw.choice(["grow", "grow", "grow", "fork", "heavy", "orphan", "again", "noise", "wrong"])
        if kind == "grow":
            grown = branch(draw.randint(1, 40), chain[-1], chain=name, salt=salt, seed=seed)
            parts.append(Part(key, tuple(grown)))
            chain += grown
        elif kind in ("fork", "heavy"):
            depth = draw.randint(1, 10)
            length = depth + draw.randint(1, 3) if kind == "fork" else max(1, depth // 3)
            bits = HARD_BITS if kind == "heavy" else chain[-1].bits
            if kind == "fork" and any(event.bits == HARD_BITS for event in chain[-depth:]):
                continue  # it would lose
            winner = branch(length, chain[-1 - depth], chain=name, salt=salt, seed=seed, bits=bits)
            if kind == "heavy" and any(event.bits == HARD_BITS for event in chain[-depth:]):
                continue
            parts += [Part(key, tuple(piece)) for piece in (winner[:2], winner[2:]) if piece]
            del chain[-depth:]
            chain += winner
        elif kind == "orphan":
            missing = branch(2, chain[-1], chain=name, salt=salt, seed=seed)
            later = branch(3, missing[-1], chain=name, salt=salt + "l", seed=seed)
            parts += [Part(key, tuple(later)), Part(key, tuple(missing))]
            chain += [*missing, *later]
        elif kind == "again":
            parts.append(Part(key, tuple(chain[-draw.randint(1, 60) :])))
        elif kind == "noise":
            parts.append(Part(key, noise=draw.randbytes(40)))
        else:
            parts.append(Part(key, (block(chain[-1].height + 5, chain[-1].hash, chain=name, salt=salt),)))
    return parts


def send(line: Line, parts: list[Part]) -> None:
    """All of it, in order."""
    for part in parts:
        line.send_raw([part.value(line)], key=part.key, flush=False)
    line.flush()


def chunks(parts: list[Part], size: int) -> Iterator[list[Part]]:
    for at in range(0, len(parts), size):
        yield parts[at : at + size]
