"""Slack's mrkdwn as markup. Everything but its own marks is escaped, and only http and https become links. Pure."""

from __future__ import annotations

import re
from typing import Final

from counterpoise.plots.marks import text_of

_MARKS: Final = re.compile(
    r"```(?P<block>(?s:.+?))```"
    r"|`(?P<code>[^`\n]+)`"
    r"|<(?P<target>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|(?<![\w*])\*(?P<bold>[^*\n]+)\*(?![\w*])"
    r"|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)"
)
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']+")


def mrkdwn(text: str) -> str:
    """The markup of a text as Slack shows it; line breaks stay, for a style that keeps them.

    >>> mrkdwn("*Rule* `a_b` &lt;i&gt; <https://example.org/?a=1&amp;b=2|page>")
    '<b>Rule</b> <code>a_b</code> &lt;i&gt; <a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer">page</a>'
    >>> mrkdwn("<javascript:alert(1)|page> <script>")
    '<span class="mention">page</span> <span class="mention">script</span>'
    """
    parts, at = [], 0
    for mark in _MARKS.finditer(text):
        parts += [plain(text[at : mark.start()]), _marked(mark)]
        at = mark.end()
    return "".join(parts) + plain(text[at:])


def plain(text: str) -> str:
    """The markup of a text in which Slack's three escapes stand for their characters.

    >>> plain("a &lt; b &amp;amp; <c>")
    'a &lt; b &amp;amp; &lt;c&gt;'
    """
    return text_of(_unescaped(text))


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _marked(mark: re.Match[str]) -> str:
    if mark["block"] is not None:
        return f"<pre>{plain(mark['block'].strip(chr(10)))}</pre>"
    if mark["code"] is not None:
        return f"<code>{plain(mark['code'])}</code>"
    if mark["bold"] is not None:
        return f"<b>{mrkdwn(mark['bold'])}</b>"
    if mark["italic"] is not None:
        return f"<i>{mrkdwn(mark['italic'])}</i>"
    target = _unescaped(mark["target"])
    label = plain(mark["label"] or mark["target"])
    if _ADDRESS.fullmatch(target):
        return f'<a href="{text_of(target)}" rel="noopener noreferrer">{label}</a>'
    return f'<span class="mention">{label}</span>'
