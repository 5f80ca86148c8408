"""Secrets in text that people read: URLs with credentials, tokens, authorization headers. Pure."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "[hidden]"
_NAMES = "pass(?:word|wd|phrase)?|pwd|secret|token|key|auth|authorization|sig|signature|credentials?|session|jwt|code"
_PARAMETER: Final = re.compile(
    rf"([?&;#](?:[\w.\[\]%-]*[_.\-\[])?[a-z]*(?:{_NAMES})(?:[\w.%-]*\]?)?=)[^&;\s\"'<>#]+", re.IGNORECASE
)
_PATTERNS: Final = (
    # user:password@, also where the password has an @, a / or a ?; and a token alone before an @
    (re.compile(r"(?<=://)(?:[^\s/?#\"'<>]*|[^\s/?#@:\"'<>]*:(?!\d{1,5}[/?#])[^\s\"'<>]*)@"), f"{HIDDEN}@"),
    (re.compile(r"(?<![\w:/@.\[])[\w.%+~-]+:[^\s:@/\"'<>\[\]]+@(?=[A-Za-z0-9\[])"), f"{HIDDEN}@"),  # without a scheme
    (_PARAMETER, rf"\1{HIDDEN}"),
    (re.compile(r"xox[a-z]-[0-9A-Za-z-]+|xapp-[0-9A-Za-z-]+"), HIDDEN),  # Slack
    (re.compile(r"(?<=hooks\.slack\.com/)[^\s\"'<>]+"), HIDDEN),
    (re.compile(r"(?<=Bearer )\S+|(?<=Basic )\S+"), HIDDEN),
)


def redact(text: str) -> str:
    """The same text with every secret that its form gives away as `[hidden]`; hosts, paths and harmless parameters stay.

    >>> redact("https://user:pa55@node.example:8332/rest?height=1&api_key=abc#x")
    'https://[hidden]@node.example:8332/rest?height=1&api_key=[hidden]#x'
    >>> redact("GET https://registry.npmjs.org/@scope/name at 127.0.0.1:9092")
    'GET https://registry.npmjs.org/@scope/name at 127.0.0.1:9092'
    """
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
