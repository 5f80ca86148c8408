"""The alert rule whose line the page draws: that of the rules in use, also after an edit of the rules file."""

from __future__ import annotations

import threading
from functools import partial
from typing import Final

from alerts.outbox.receivers.receivers import check_rules
from alerts.rules_watch import RulesWatch
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.reload import RELOAD
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.model import Settings
from desk.report.report_model import RuleLine
from desk.rule_line import line_of

_POLL_SECONDS: Final = 0.25
"""Between two checks for SIGHUP. The watch itself decides how often it checks the file."""


class ShownRule:
    """Any thread may read `line`, `problem` and `in_use`; one thread calls `follow`.

    The rules are checked as the alerter checks them, so that both use the same ones. With a mistake at the first reading the page
    has no line until the file is corrected: the figures do not need one.
    """

    def __init__(self, settings: Settings, clock: Clock, status: ServiceStatus) -> None:
        self._chain = settings.ingest.chain
        self._status = status
        self._watch = RulesWatch(
            settings.alerts.rules_file, clock, check=partial(check_rules, settings), required=False
        )
        self.line: RuleLine | None = None
        self._take()

    @property
    def problem(self) -> str:
        """Why the rules file as it is now is not in use; empty where it is."""
        return self._watch.problem or ""

    @property
    def in_use(self) -> bool:
        """Whether there are rules: those of the file, or those of before."""
        return self._watch.in_use

    def look(self, *, asked: bool = False) -> None:
        """Read the file again where it changed; `asked`: at once."""
        self._watch.changed(asked=asked)
        self._take()

    def follow(self, stop: threading.Event) -> None:
        """Look until `stop`, in a separate thread."""
        while not stop.wait(_POLL_SECONDS):
            asked = RELOAD.is_set()
            RELOAD.clear()
            self.look(asked=asked)

    def _take(self) -> None:
        self.line = line_of(self._watch.rules, self._chain)
        self._status.set(
            rules_problem=self.problem if self.in_use else None, no_rules=None if self.in_use else self.problem
        )
