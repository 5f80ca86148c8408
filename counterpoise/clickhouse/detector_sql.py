"""The views of the sequential detectors, in which a track has its view, its detector and its promise by name.

Pure: tracks in, text out. `make generate` writes the texts to `sql/`, where readers see them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from counterpoise.clickhouse.concentration_sql import WRITTEN
from counterpoise.detectors.tracks import BLOCKS_PER_YEAR, DETECTORS, PROMISES_YEARS, TRACKS
from counterpoise.windows import VIEWS

_MARK: Final = f"{WRITTEN}counterpoise/detectors/tracks.py; edit that."
_CURRENT: Final = "(attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)"
_NAMES: Final = [detector.name for detector in DETECTORS]


def _one_of(array: Iterable[object], place: str) -> str:
    """The entry of a constant array at a place that begins with 0."""
    return f"[{', '.join(repr(entry) for entry in array)}][{place} + 1]"


_EACH: Final = len(PROMISES_YEARS)
_NAMES_OF_TRACK: Final = (
    f"{_one_of(VIEWS, f'intDiv(track, {len(DETECTORS) * _EACH})')} AS view",
    f"{_one_of(_NAMES, f'intDiv(track, {_EACH}) % {len(DETECTORS)}')} AS detector",
    f"{_one_of(PROMISES_YEARS, f'track % {_EACH}')} AS promise_years",
)
"""The reverse of `track_of`."""


def _listed(words: Iterable[object]) -> str:
    *most, last = map(str, words)
    return f"{', '.join(most)} or {last}"


def _declared(height: str, further: str) -> str:
    promise = (
        f"{_listed(PROMISES_YEARS)} times {BLOCKS_PER_YEAR:,} blocks, a year of bitcoin and less of a faster chain"
    )
    return f"""(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the state rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT '{height}',
    tip_hash String COMMENT 'Hash of the block, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the block',
    view LowCardinality(String) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    detector LowCardinality(String) COMMENT '{_listed(_NAMES)}',
    promise_years UInt8 COMMENT 'Expected time between false alarms: {promise}',
{further}
)"""


def states_view() -> str:
    """Every track after every block."""
    view, detector, promise = _NAMES_OF_TRACK
    columns = _declared(
        "Height of the block",
        """    firing Bool COMMENT 'True from the block that fires to the block before the one that clears',
    evidence_blocks Float32 COMMENT 'Evidence for the change that would end the present state, in blocks between false alarms',
    evidence Float64 COMMENT 'The same over the promise: an alarm is where it reaches 1, and the evidence begins again at 0'""",
    )
    return f"""{_MARK}
CREATE OR REPLACE VIEW detectors
{columns}
AS SELECT attribution_id, chain, height, lower(hex(tip_hash)) AS tip_hash, time,
    {view},
    {detector},
    {promise}, bitTest(firing, track) AS firing, blocks AS evidence_blocks,
    blocks / (promise_years * {BLOCKS_PER_YEAR}) AS evidence
FROM
(
    SELECT attribution_id, chain, height, tip_hash, time, firing, blocks, track
    FROM detectors_log FINAL
    ARRAY JOIN evidence AS blocks, range(length(evidence)) AS track
    WHERE {_CURRENT}
)
COMMENT 'Sequential detectors after every block: whether each fires, and its evidence. Choose chain and a range of heights';
"""


_CHANGED: Final = """bitXor(firing, lagInFrame(firing, 1, toUInt32(0)) OVER (PARTITION BY attribution_id, chain ORDER BY height)) AS changed"""


def _changes(name: str, columns: str, bits: str, comment: str, shown: str = "") -> str:
    """A view of the fires and clears among the rows of the subquery `bits`."""
    view, detector, promise = _NAMES_OF_TRACK
    return f"""{_MARK}
CREATE OR REPLACE VIEW {name}{columns}
AS SELECT attribution_id, chain, height, lower(hex(tip_hash)) AS tip_hash, time,
    {view},
    {detector},
    {promise}, bitTest(firing, track) AS fires
FROM
(
{bits}
)
ARRAY JOIN range({TRACKS}) AS track
WHERE changed != 0 AND bitTest(changed, track){shown}
COMMENT '{comment}';
"""


def changes_view() -> str:
    """Every fire and clear, from the bits of each height alone."""
    columns = _declared(
        "Height of the block that fires or clears the detector",
        "    fires Bool COMMENT 'True where the detector fires, false where it clears'",
    )
    bits = f"""    SELECT attribution_id, chain, height, tip_hash, time, firing,
        {_CHANGED}
    FROM detectors_log FINAL
    WHERE {_CURRENT}"""
    comment = (
        "Every fire and clear of the sequential detectors, from the bits of every height. Choose chain and promise"
    )
    return _changes("detector_changes", f"\n{columns}", bits, comment)


def changes_before_view() -> str:
    """The same of so many blocks, at a cost that does not grow with the history. One row more is compared than shown."""
    bits = f"""    WITH
        least({{height:UInt32}}, (SELECT max(height) FROM latest_concentration WHERE chain = {{chain:String}})) AS last,
        last - least(last, {{blocks:UInt32}}) AS low
    SELECT attribution_id, chain, height, tip_hash, time, firing, height > low AS shown,
        {_CHANGED}
    FROM detectors_log FINAL
    WHERE {_CURRENT}
        AND chain = {{chain:String}} AND height >= low AND height <= last"""
    comment = (
        "As detector_changes, in the last blocks up to a height, and no other height is read. "
        "Parameters: chain, height (the newest where it is above) and blocks"
    )
    return _changes("detector_changes_before", "", bits, comment, " AND shown")


def detector_files() -> dict[str, str]:
    """Path under `sql/` → text of every generated file."""
    return {
        "views/detectors.sql": states_view(),
        "views/detector_changes.sql": changes_view(),
        "views/detector_changes_before.sql": changes_before_view(),
    }
