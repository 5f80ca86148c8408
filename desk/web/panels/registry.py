"""Every panel of the page, in its order. One line per panel."""

from __future__ import annotations

from typing import Final

from desk.web.panels import (
    detectors,
    edge,
    gap,
    largest,
    meaning,
    moved,
    open_alerts,
    pools,
    quality,
    scorecard,
    shares,
    tape,
    time_windows,
    top4,
    windows,
)
from desk.web.panels.panel import Panel

PANELS: Final[dict[str, Panel]] = {
    panel.name: panel
    for panel in (
        top4.PANEL,
        largest.PANEL,
        open_alerts.PANEL,
        gap.NOW,
        shares.PANEL,
        moved.PANEL,
        pools.PANEL,
        windows.PANEL,
        time_windows.PANEL,
        tape.PANEL,
        meaning.PANEL,
        detectors.PANEL,
        scorecard.PANEL,
        gap.HISTORY,
        edge.PANEL,
        quality.PANEL,
    )
}
