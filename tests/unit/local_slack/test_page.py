"""The channel's page as markup: what comes from outside is text, whatever it is."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.local_slack.channel_page import Entry, entry_markup, whole_page
from engines.local_slack.message import SlackMessage
from engines.local_slack.mrkdwn import mrkdwn

HOSTILE = "<img src=x onerror=alert(1)> \"'><script>alert(2)</script> &lt;b&gt; <javascript:alert(3)|x> <!channel>"


class Tags(HTMLParser):
    """The tags with their attributes, the text, and whether each tag that opens is closed."""

    VOID = frozenset({"hr", "input", "meta", "link"})

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


PIECES = st.one_of(
    st.sampled_from("*_`<>|&\"'\n aé\u202e"),
    st.sampled_from(("```", "&lt;", "&amp;", "https://a.example/?b=1&amp;c=2", "javascript:alert(1)", "onload=")),
    st.sampled_from(("<https://a.example|", "<!channel>", "<script>", "</b>")),
    st.text(max_size=5),
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_becomes_only_marks_of_text_and_links_to_the_web(text: str) -> None:
    tags = Tags(mrkdwn(text))
    assert tags.open == []
    for tag, attributes in tags.found:
        assert tag in {"b", "i", "code", "pre", "a", "span"}
        assert set(attributes) <= ({"href", "rel"} if tag == "a" else {"class"})
        if tag == "a":
            assert (attributes["href"] or "").startswith(("https://", "http://"))


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("*a* _b_ `c*d*`", "<b>a</b> <i>b</i> <code>c*d*</code>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("_*both*_", "<i><b>both</b></i>"),
        ("```SELECT 1\n*```", "<pre>SELECT 1\n*</pre>"),
        ("<https://a.example>", '<a href="https://a.example" rel="noopener noreferrer">https://a.example</a>'),
        ("`open", "`open"),
        ("a &lt;b&gt; &amp;lt;", "a &lt;b&gt; &amp;lt;"),
    ],
)
def test_marks(text: str, markup: str) -> None:
    assert mrkdwn(text) == markup


def message(header: str, **values: object) -> SlackMessage:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": header}},
        {"type": "section", "text": {"type": "mrkdwn", "text": HOSTILE}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": f"*Rule*\n{HOSTILE}"}]},
        {"type": "divider"},
        {
            "type": "actions",
            "block_id": "counterpoise",
            "elements": [
                {"type": "button", "action_id": HOSTILE, "value": "a", "text": {"type": "plain_text", "text": HOSTILE}}
            ],
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": HOSTILE}]},
    ]
    return SlackMessage("1700000000.000001", "C0", HOSTILE, blocks, {}, **values)  # type: ignore[arg-type]


def test_a_hostile_message_is_text() -> None:
    root = message(f"🔴 FIRING: {HOSTILE}")
    tags = Tags(whole_page(HOSTILE, [Entry(root, (message("🟢 x"),)), Entry(message(HOSTILE, user="U0"))], 1))
    assert tags.open == []
    assert {tag for tag, _ in tags.found if tag in ("img", "script")} == {"script"}
    assert [one["src"] for tag, one in tags.found if tag == "script"] == ["static/channel.js"]
    assert not [name for _, one in tags.found for name in one if name.startswith("on") or name == "style"]
    assert {one["value"] for tag, one in tags.found if tag == "button" and "value" in one} == {HOSTILE}
    assert unescape("&lt;img") + " src=x onerror=alert(1)>" in tags.text


@pytest.mark.parametrize(
    ("header", "state"),
    [
        ("🔴 FIRING: a", "firing"),
        ("🟢 RESOLVED: a", "resolved"),
        ("🟡 POSSIBLE: a", "possible"),
        ("🟠 ERROR: a", "error"),
        ("⚪ RETRACTED: a", "ended"),
        ("State at start", "plain"),
    ],
)
def test_the_state_colours_the_message(header: str, state: str) -> None:
    assert entry_markup(Entry(message(header))).startswith(f'<article class="message {state}" id="m-1700000000.000001"')


def test_an_edit_a_thread_and_a_whisper_are_named() -> None:
    plain = entry_markup(Entry(message("a")))
    assert "(edited)" not in plain and "repl" not in plain and "Only visible" not in plain
    assert "(edited)" in entry_markup(Entry(message("a", edits=1)))
    assert "1 reply<" in entry_markup(Entry(message("a"), (message("b"),)))
    assert "2 replies<" in entry_markup(Entry(message("a"), (message("b"), message("c"))))
    assert "Only visible to you" in entry_markup(Entry(message("a", user="U0")))
