"""Every panel of the page, in its order. One line per panel."""

from __future__ import annotations

from typing import Final

from desk.web.panels import (
    alerts_panel,
    detectors_panel,
    edge_panel,
    gap_panel,
    largest_panel,
    meaning_panel,
    moved_panel,
    pools_panel,
    quality_panel,
    scorecard_panel,
    shares_panel,
    tape_panel,
    time_windows_panel,
    top4_panel,
    windows_panel,
)
from desk.web.panels.panel import Panel

PANELS: Final[dict[str, Panel]] = {
    panel.name: panel
    for panel in (
        top4_panel.PANEL,
        largest_panel.PANEL,
        alerts_panel.PANEL,
        gap_panel.NOW,
        shares_panel.PANEL,
        moved_panel.PANEL,
        pools_panel.PANEL,
        windows_panel.PANEL,
        time_windows_panel.PANEL,
        tape_panel.PANEL,
        meaning_panel.PANEL,
        detectors_panel.PANEL,
        scorecard_panel.PANEL,
        gap_panel.HISTORY,
        edge_panel.PANEL,
        quality_panel.PANEL,
    )
}
