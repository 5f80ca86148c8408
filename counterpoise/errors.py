"""Every error that Counterpoise raises on purpose, split by what the caller does about it.

    CounterpoiseError
    ├── ConfigError        fix the configuration or the call: one line on stderr, exit code 2, no traceback
    │   └── EngineError    an embedded engine cannot run here (taken port, locked data, missing wheel, foreign platform)
    ├── RetryableError     the other side is down or busy: wait, say so, try again
    │   ├── StaleSourceError    a source of facts cannot be reached; its data is getting old
    │   └── ChangingError       what is asked for changes at this moment; the other side is well
    └── DeadLetterError    this event can never be processed: store it with its reason and go on

Anything else that is raised is a bug: the process dies without acknowledging and its supervisor starts it again.
"""

from __future__ import annotations


class CounterpoiseError(Exception):
    """Base of all; never raised itself."""


class ConfigError(CounterpoiseError):
    """A setting, file or argument is wrong. The message names the thing, its value, what was expected and the next step."""


class EngineError(ConfigError):
    """An embedded engine cannot start or be reached on this machine."""


class RetryableError(CounterpoiseError):
    """A dependency did not answer or answered that it is busy. Waiting may help; nothing was lost."""


class StaleSourceError(RetryableError):
    """A source of facts cannot be reached."""


class ChangingError(RetryableError):
    """What was read is being changed, so that no two readings belong together. The next one helps."""


class DeadLetterError(CounterpoiseError):
    """An event that no retry can help.

    `reason` is a short, stable, lower-case slug that is counted and filtered on; the message explains this one case.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
