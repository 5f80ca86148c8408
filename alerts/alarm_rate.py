"""How often a rule alarms, as its message states it: one line, written from a backtest and read again for a budget. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

NOT_BACKTESTED: Final = "not backtested"

_LINE: Final = re.compile(
    r"(?P<alarms>\d+\.\d\d) alarms per year in (?P<period>\S+ to \S+), (?P<false>\d+\.\d\d) false by simulation"
)


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """Firings of a backtest in 365.25 days, the months of the backtest, and false alarms per simulated year."""

    alarms: float
    period: str
    false: float

    def line(self) -> str:
        """The line that a rule states.

        >>> AlarmRate(1.509, "2021-01 to 2026-04", 0.188).line()
        '1.51 alarms per year in 2021-01 to 2026-04, 0.19 false by simulation'
        """
        return f"{self.alarms:.2f} alarms per year in {self.period}, {self.false:.2f} false by simulation"


def parse_alarm_rate(text: str) -> AlarmRate | None:
    """The rate in a line that `line` wrote; None for any other text, `not backtested` among it.

    >>> parse_alarm_rate("1.51 alarms per year in 2021-01 to 2026-04, 0.19 false by simulation")
    AlarmRate(alarms=1.51, period='2021-01 to 2026-04', false=0.19)
    >>> parse_alarm_rate("not backtested") is None
    True
    """
    found = _LINE.fullmatch(text)
    return found and AlarmRate(float(found["alarms"]), found["period"], float(found["false"]))
