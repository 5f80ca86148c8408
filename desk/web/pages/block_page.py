"""`/block/HASH`: one block, its standing, and the evidence of its producer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker
from desk.question import Question, Row
from desk.web import markup
from desk.web.panels.panel import PageContext

WINDOW_HEADS: Final = (
    "window, in blocks",
    "view",
    "#top 4",
    "#change",
    "#HHI",
    "#change of HHI",
    "#for a majority",
    "#before",
)


@dataclass(frozen=True, slots=True)
class BlockPage:
    """The block, and what each window was with and without it; none for a block that is not on the best chain or not scored."""

    row: Row
    windows: list[Row]
    questions: tuple[Question, ...]


def read(clickhouse: ClickHouse, context: PageContext, block_hash: str) -> BlockPage | None:
    """None for a block that was never seen."""
    asker = Asker(clickhouse, context.dataset)
    rows = asker.ask("block", "block_evidence", hash=block_hash)
    if not rows:
        return None
    row, windows = rows[0], []
    if row["status"] == "canonical":
        windows = asker.ask("windows", "block_windows", chain=row["chain"], height=row["height"])
        windows = [one for one in windows if one["to_height"] == row["height"]]
    return BlockPage(row, windows, tuple(asker.questions.values()))


def _transactions(number: int | None) -> str:
    """How many, the coinbase included.

    >>> _transactions(3_823), _transactions(1), _transactions(None)
    ('3,823, the coinbase included', '1: the block is empty', 'not known')
    """
    if number is None:
        return "not known"
    return "1: the block is empty" if number == 1 else f"{PAGE.count(number)}, the coinbase included"


def _size(size_bytes: int | None, weight: int | None) -> str:
    """Bytes and weight, as far as they are known.

    >>> _size(1_578_209, 3_993_461), _size(None, None)
    ('1,578,209 bytes, 3,993,461 weight units', 'not known')
    """
    known = [
        f"{PAGE.count(value)} {unit}"
        for value, unit in ((size_bytes, "bytes"), (weight, "weight units"))
        if value is not None
    ]
    return ", ".join(known) or "not known"


def _expected(row: Row) -> str:
    """How the block compares with the one that its source expected from its memory pool."""
    if row["match_ratio"] is None:
        return "not known"
    words = f"{PAGE.share(row['match_ratio'])} of the expected transactions"
    if row["fees_sats"] is not None and row["expected_fees_sats"]:
        words += f"; fees are {PAGE.share(row['fees_sats'] / row['expected_fees_sats'])} of the expected"
    return f"{words}. A difference is no evidence of censorship."


def draw(found: BlockPage) -> str:
    """The body of the page."""
    row = found.row
    script = bytes.fromhex(row["coinbase_script_hex"]).decode("ascii", errors="replace")
    facts = [
        ("Standing", text_of(row["status"])),
        ("Producer", markup.link("pool", row["pool"], row["pool"])),
        ("Evidence", text_of(row["method"]) + (" (address and tag disagree)" if row["conflict"] else "")),
        ("Template maker", text_of(row["template_builder"] or "not known")),
        ("Header time", markup.time_of(row["time"])),
        ("Fees", f"{PAGE.count(row['fees_sats'])} satoshis" if row["fees_sats"] is not None else "not known"),
        ("Transactions", _transactions(row["transactions"])),
        ("Size", _size(row["size_bytes"], row["weight"])),
        ("Against the expected block", _expected(row)),
        ("Label in the file", text_of(row["label"] or "none")),
        ("Source", text_of(row["source"])),
        ("Payout addresses", "<br>".join(text_of(one) for one in row["payout_addresses"]) or "not known"),
        ("Coinbase text", f"<code>{text_of(script) or 'none'}</code>"),
        ("Block before", markup.link("block", row["prev_hash"], row["prev_hash"])),
        ("Attribution", f"<code>{text_of(row['attribution_id'])}</code>"),
    ]
    listed = "".join(f"<div><dt>{text_of(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
    made_up = (
        '<p class="note">The source had no hash for this block: it was made from its height.</p>'
        if row["synthetic"]
        else ""
    )
    return (
        f'<p class="crumbs"><a href="/">Desk</a> › block</p><h1>Block {PAGE.count(row["height"])} of {text_of(row["chain"])}</h1>'
        f'<p class="hash"><code>{text_of(row["hash"])}</code></p>{made_up}'
        f'<section class="panel wide"><dl class="facts">{listed}</dl></section>'
        f'<section class="panel wide"><h2>Windows that it moved</h2>{_windows(found)}</section>{markup.asked(found.questions)}'
    )


def _windows(found: BlockPage) -> str:
    """Each window that ends in the block beside the one that ends before it: one block came, and the oldest one left."""
    if not found.windows:
        return '<p class="note">None: only a scored block of the best chain moves windows.</p>'
    rows = [
        (
            PAGE.count(row["window_blocks"]),
            str(row["view"]),
            PAGE.share(row["top4_after"], 2),
            _step(row["top4_change"], lambda change: f"{PAGE.points(change, 2)} points"),
            PAGE.number(row["hhi_after"], 1),
            _step(row["hhi_change"], lambda change: PAGE.points(change / 100, 1)),
            PAGE.count(row["majority_after"]),
            "–" if row["majority_before"] is None else PAGE.count(row["majority_before"]),
        )
        for row in found.windows
    ]
    return markup.scrolled_table("Windows that it moved", WINDOW_HEADS, rows) + markup.meta(
        (
            "unknown blocks in the denominator",
            "HHI of 10,000",
            f"changes are against the window that ends in block {PAGE.count(found.row['height'] - 1)}",
        )
    )


def _step(change: float | None, words: Callable[[float], str]) -> str:
    return "–" if change is None else "no change" if abs(change) < 1e-12 else words(change)
