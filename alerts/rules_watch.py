"""The rules in use, and the file that they come from: read again when it changes, and kept when it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from alerts.rules.rule import Rule
from alerts.rules_file import load_judged_rules
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 2.0
"""Time between checks of the file. What changed between two checks is still being written: it is read at the next one."""

_Mark = tuple[int, int, int] | None


class RulesWatch:
    """`rules` are judged; `problem` is why the file as it is now is not in use. ConfigError at first for a file with mistakes.
    With `required` false that is a `problem` too: there are no rules, and `in_use` is false, until the file is correct once.

    `check` raises ConfigError for rules that do not fit the settings: a mistake as any other. The shipped rules, `path` None, never
    change.
    """

    def __init__(
        self,
        path: Path | None,
        clock: Clock,
        *,
        check: Callable[[tuple[Rule, ...]], None] = lambda _: None,
        required: bool = True,
    ) -> None:
        self._path = path
        self._clock = clock
        self._check = check
        self._read = self._looked = self._mark()
        self.rules: tuple[Rule, ...] = ()
        self.in_use = False
        self.problem: str | None = None
        if required:
            self.rules, self.in_use = self._checked(), True
        else:
            self._load()
        self._look_at = clock.monotonic() + LOOK_SECONDS

    def changed(self, *, asked: bool = False) -> bool:
        """Whether other rules are to be judged from now on; `asked`: read it at once, even if it seems unchanged."""
        now = self._clock.monotonic()
        if not asked and now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        before, self._looked = self._looked, self._mark()
        if not asked and (self._looked == self._read or self._looked != before):
            return False
        self._read = self._looked
        return self._load()

    def _load(self) -> bool:
        try:
            rules = self._checked()
        except ConfigError as error:
            self.problem = str(error)
            every = [note.strip() for note in getattr(error, "__notes__", ())]
            what = "the rules of before are kept" if self.in_use else "no rules are in use"
            log.error(what, reason=self.problem, **({"mistakes": every} if every else {}))
            return False
        self.problem = None
        changed = rules != self.rules
        if self.in_use:
            log.info("rules read again", changed=changed, rules=len(rules))
        self.rules, self.in_use = rules, True
        return changed

    def _checked(self) -> tuple[Rule, ...]:
        rules = load_judged_rules(self._path)
        self._check(rules)
        return rules

    def _mark(self) -> _Mark:
        """What distinguishes one state of the file from another; None without a file."""
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
