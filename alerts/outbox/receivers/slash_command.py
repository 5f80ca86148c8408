"""The slash command `/counterpoise` and what its text asks for. Pure.

Slack sends no time with a command. Its envelope's id and its content identify it, so a repeated one asks for nothing new.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from alerts.outbox.receivers.slack_payload import person_of, request_id, text
from alerts.policy import MAX_REASON, Action
from alerts.rules.rule import parse_duration
from counterpoise.visible import one_line

COMMAND: Final = "/counterpoise"
Word = Literal["top4", "alerts", "why", "silence", "help"]
HELP: Final = (
    "`/counterpoise top4` shows the top-4 share now, `/counterpoise alerts` the alerts that fire.\n"
    "`/counterpoise why ALERT` shows the reason of an alert, `/counterpoise silence ALERT 4h [reason]` silences it."
)
MAX_SHOWN: Final = 40
"""Characters of a wrong word that the answer repeats."""

_ALERT: Final = re.compile(r"[0-9a-f]{4,16}")
_NO_ALERT: Final = "Write the alert's id or its first digits, such as ab12cd34: `/counterpoise alerts` lists them."
_WORDS: Final[Mapping[str, Word]] = {"top4": "top4", "alerts": "alerts", "why": "why", "silence": "silence"}


@dataclass(frozen=True, slots=True)
class Command:
    """What `user` asks for in `channel`. `alert` is the beginning of an alert's id; `seconds` and `reason` are of a silence.

    `refusal`: why nothing is done, which is recorded. `problem`: what is wrong with the text, for the person alone.
    """

    id: str
    word: Word
    channel: str
    user: str
    user_name: str
    alert: str = ""
    seconds: int = 0
    reason: str = ""
    refusal: str = ""
    problem: str = ""

    @property
    def not_done(self) -> str:
        """What becomes of it while the database does not answer."""
        return "Not stored" if self.word == "silence" else "Not answered"

    @property
    def again(self) -> str:
        """What the person may do then."""
        return "Send the command again later."

    def refused(self, reason: str, now: float, alert_id: str = "") -> Action:
        """The row of one that is not done."""
        return Action(self.id, "refused", now, self.user_name or self.user, reason, alert_id, via="slack")

    def silence(self, alert_id: str, now: float) -> Action:
        """The row of a silence of this alert."""
        return Action(
            self.id,
            "silence",
            now,
            self.user_name or self.user,
            self.reason,
            matchers={"alert": alert_id},
            until=now + self.seconds,
            via="slack",
        )


def read_command(payload: Mapping[str, Any], envelope_id: str, *, channels: Collection[str]) -> Command | None:
    """The command of a request of Slack's; None for another command. It is refused where the channel is not ours."""
    if payload.get("command") != COMMAND:
        return None
    channel, user, written = (text(payload.get(name)) for name in ("channel_id", "user_id", "text"))
    refusal = ""
    if not user:
        refusal = "it is no command of a person"
    elif channel not in channels:
        refusal = "it comes from another channel"
    word, parts = _parts(written)
    return Command(
        id=request_id(COMMAND, text(envelope_id), channel, user, written, refusal),
        word=word,
        channel=channel,
        user=user[:40],
        user_name=person_of(payload),
        refusal=refusal,
        **({} if refusal else parts),
    )


def _parts(written: str) -> tuple[Word, dict[str, Any]]:
    """The word and the further fields of a command's text; what does not fit is help, or a problem of its word."""
    words = written.split(None, 3)
    word = _WORDS.get(words[0].lower() if words else "", "help")
    given = [one.strip("`") for one in words[1:3]]
    if word == "help" or (word in ("top4", "alerts") and len(words) > 1) or (word == "why" and len(words) > 2):
        return "help", {}
    if word in ("top4", "alerts"):
        return word, {}
    alert = given[0].lower() if given else ""
    if not _ALERT.fullmatch(alert):
        return word, {"problem": _NO_ALERT}
    if word == "why":
        return word, {"alert": alert}
    try:
        seconds = parse_duration(given[1] if len(given) > 1 else "")
    except ValueError:
        wrong = f"{given[1][:MAX_SHOWN]} is no duration. " if len(given) > 1 else ""
        return word, {"problem": f"{wrong}Write how long the silence holds: 30m, 4h or 7d, up to 366d."}
    return word, {"alert": alert, "seconds": seconds, "reason": one_line(_unescaped("".join(words[3:])), MAX_REASON)}


def _unescaped(written: str) -> str:
    """Slack writes these three characters as entities."""
    return written.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
