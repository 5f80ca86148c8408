"""The answer to "who made this block", with everything it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Method = Literal["address", "tag", "label", "none"]
"""How a pool was recognised; an address is the hardest to fake, a label the easiest."""


class Candidate(NamedTuple):
    """One thing in the evidence that names a pool, whether or not it decided.

    `matched` is the registry's address or tag, or the label as given; `offset` is the byte position of a tag in the
    coinbase script, None for an address or a label. `slug` is "unknown" for a label that the registry does not know.
    """

    slug: str
    method: Method
    matched: str
    offset: int | None

    def describe(self) -> str:
        """Return one line for people and logs, such as `tag f2pool '/F2Pool/' at 4`."""
        place = "" if self.offset is None else f" at {self.offset}"
        return f"{self.method} {self.slug} {self.matched!r}{place}"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The pool of one block.

    `code` and `slug` are 0 and "unknown" exactly when `method` is "none". `matched` and `offset` are those of the deciding
    candidate. `candidates` holds everything that was found, the deciding one first. `conflict` is True when evidence that
    counts names another pool than the one chosen. `template_builder` is the miner's own tag where the pool lets miners build
    their templates and names the builder (OCEAN's DATUM), otherwise None.
    """

    slug: str
    code: int
    method: Method
    matched: str = ""
    offset: int | None = None
    candidates: tuple[Candidate, ...] = ()
    conflict: bool = False
    template_builder: str | None = None
