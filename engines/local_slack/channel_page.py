"""The channel as a page: messages with their state, threads, edits and buttons. Values in, markup out. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from counterpoise.plots.marks import text_of
from engines.local_slack.files import SlackFile
from engines.local_slack.message import SlackMessage
from engines.local_slack.mrkdwn import mrkdwn, plain

STATES: Final = {"🔴": "firing", "🟢": "resolved", "🟠": "error", "🟡": "possible", "⚪": "ended"}
"""First character of a message's header → the class that colours the message."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the channel: a message with its thread, or what one person alone sees."""

    message: SlackMessage
    replies: Sequence[SlackMessage] = ()
    pictures: Sequence[SlackFile] = ()
    """Of its thread."""


def whole_page(channel: str, entries: Sequence[Entry], sequence: int) -> str:
    """The page with the entries, the oldest first. `sequence`: the changes that it shows."""
    shown = "".join(map(entry_markup, entries))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{text_of(channel)} · local Slack</title>\n"
        '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="static/channel.css">\n'
        '<script type="module" src="static/channel.js"></script>\n</head>\n<body>\n'
        f'<header class="top"><h1>{text_of(channel)}</h1><p>A local stand-in for a Slack channel. '
        '<span id="state" role="status"></span></p></header>\n'
        f'<main id="channel" role="log" aria-label="Messages" data-sequence="{sequence}">{shown}</main>\n'
        '<footer><form method="post" action="command"><label for="command">/counterpoise</label>'
        '<input id="command" name="text" autocomplete="off" placeholder="top4" maxlength="1000">'
        "<button>Send</button></form></footer>\n"
        "</body>\n</html>\n"
    )


def entry_markup(entry: Entry) -> str:
    """One entry of the channel."""
    message = entry.message
    replies = "".join(
        f'<article class="reply {_state(one)}">{_head(one)}{_body(one)}</article>' for one in entry.replies
    )
    count = len(entry.replies)
    words = f"{count} {'reply' if count == 1 else 'replies'}"
    replies = f'<p class="of">{words}</p>{replies}' if count else ""
    pictures = "".join(map(_picture, entry.pictures))
    thread = f'<section class="thread" aria-label="Thread">{pictures}{replies}</section>' if replies or pictures else ""
    whisper = ' whisper"' if message.user else '"'
    note = '<p class="of">Only visible to you</p>' if message.user else ""
    return (
        f'<article class="message {_state(message)}{whisper} id="m-{text_of(message.ts)}" data-ts="{text_of(message.ts)}">'
        f"{note}{_head(message)}{_body(message)}{thread}</article>"
    )


def _picture(file: SlackFile) -> str:
    source = f"data:image/png;base64,{b64encode(file.content).decode()}"
    return (
        f'<figure class="picture"><img src="{source}" alt="{text_of(file.alt)}">'
        f"<figcaption>{text_of(file.title)}</figcaption></figure>"
    )


def _state(message: SlackMessage) -> str:
    """The class of the first header's mark, or of the text's."""
    header = next((block["text"]["text"] for block in message.blocks if block["type"] == "header"), message.text)
    return STATES.get(header[:1], "plain")


def _head(message: SlackMessage) -> str:
    sent = datetime.fromtimestamp(float(message.ts), UTC)
    edited = ' <span class="edited">(edited)</span>' if message.edits else ""
    return (
        f'<p class="from"><b>counterpoise</b> <span class="app">app</span> '
        f'<time datetime="{sent:%Y-%m-%dT%H:%M:%SZ}">{sent:%H:%M} UTC</time>{edited}</p>'
    )


def _body(message: SlackMessage) -> str:
    if not message.blocks:
        return f'<div class="text">{mrkdwn(message.text)}</div>'
    return "".join(_block(block, message.ts) for block in message.blocks)


def _block(block: dict[str, Any], ts: str) -> str:
    kind = block["type"]
    if kind == "header":
        return f"<h2>{plain(block['text']['text'])}</h2>"
    if kind == "divider":
        return "<hr>"
    if kind == "context":
        return f'<p class="context">{" ".join(_text(one) for one in block["elements"])}</p>'
    if kind == "actions":
        buttons = "".join(map(_button, block["elements"]))
        return (
            f'<form method="post" action="press"><input type="hidden" name="ts" value="{text_of(ts)}">{buttons}</form>'
        )
    if kind == "window":
        return _window(block["id"], block["view"])
    fields = "".join(f"<div>{_text(one)}</div>" for one in block.get("fields") or [])
    text = f'<div class="text">{_text(block["text"])}</div>' if block.get("text") else ""
    return text + (f'<div class="fields">{fields}</div>' if fields else "")


def _window(view_id: str, view: dict[str, Any]) -> str:
    """A window of one person, as a form among the messages."""
    inputs = "".join(map(_input, view["blocks"]))
    return (
        f'<h2>{plain(view["title"]["text"])}</h2><form class="window" method="post" action="submit">'
        f'<input type="hidden" name="window" value="{text_of(view_id)}">{inputs}'
        f"<div><button>{plain(view['submit']['text'])}</button> "
        '<button name="cancel" value="1" formnovalidate>Cancel</button></div></form>'
    )


def _input(block: dict[str, Any]) -> str:
    name, label, element = text_of(block["block_id"]), plain(block["label"]["text"]), block["element"]
    if element["type"] == "plain_text_input":
        limit = int(element.get("max_length") or 3_000)
        return f'<label>{label} <input name="{name}" required maxlength="{limit}" size="40" autocomplete="off"></label>'
    first = (element.get("initial_option") or {}).get("value")
    options = "".join(
        f'<label><input type="radio" name="{name}" value="{text_of(one["value"])}" required'
        f"{' checked' if one['value'] == first else ''}> {plain(one['text']['text'])}</label>"
        for one in element["options"]
    )
    return f"<fieldset><legend>{label}</legend>{options}</fieldset>"


def _button(element: dict[str, Any]) -> str:
    return f'<button name="button" value="{text_of(element["action_id"])}">{plain(element["text"]["text"])}</button>'


def _text(text: dict[str, Any]) -> str:
    written = str(text.get("text", ""))
    return mrkdwn(written) if text.get("type") == "mrkdwn" else plain(written)
