"""Who may see the page, by requests through the guard: links, sessions, tokens, hosts, origins, rates, headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import ConfigError
from counterpoise.settings.sections.service_sections import DeskSettings
from desk.web.access import HEADERS, REQUESTS_AT_ONCE, Access, Guard, key_of

TOKEN = "0123456789abcdef0123456789abcdef"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"figures"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Access]:
    return lambda **settings: Access(DeskSettings(**settings), tmp_path / "run" / "desk-link", clock)


def ask(
    access: Access, path: str = "/", *, method: str = "GET", client: str = "127.0.0.1", **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of one request."""
    given = {"host": "127.0.0.1:8090"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "client": (client, 1),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    asyncio.run(Guard(application, access)(scope, receive, send))
    head = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(one.get("body", b"") for one in sent[1:]).decode()


def test_a_link_opens_once_and_its_session_ends(make: Callable[..., Access], clock: Clock, tmp_path: Path) -> None:
    access = make(session_hours=1.0)
    link = access.new_link(8090)
    assert (tmp_path / "run" / "desk-link").read_text() == f"{link}\n"
    assert (tmp_path / "run" / "desk-link").stat().st_mode & 0o077 == 0
    key = key_of(link.partition("?")[2].encode())
    assert ask(access)[0] == 401
    assert access.open("guess") is None
    session = access.open(key)
    assert session is not None
    access.new_link(8090)
    assert access.open(key) is None, "used up"
    cookie = f"{access.cookie_name}={session}"
    assert ask(access, cookie=cookie)[0] == 200
    assert ask(access, cookie=f"{access.cookie_name}={session}x")[0] == 401
    clock.at += 3_601
    assert ask(access, cookie=cookie)[0] == 401


def test_a_new_link_leads_where_the_page_listens(make: Callable[..., Access]) -> None:
    access = make(host="::1")
    assert access.new_link(8090).startswith("http://[::1]:8090/open?key=")
    assert access.new_link().startswith("http://[::1]:8090/open?key="), "whatever name the last one was opened by"
    assert make(public_url="https://desk.example/x/").new_link(1).startswith("https://desk.example/x/open?key=")


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("::1", "[::1]"),
        ("10.0.0.5", "10.0.0.5"),
        ("fd00::5", "[fd00::5]"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("::", "127.0.0.1"),
    ],
)
def test_its_address_is_one_where_it_listens(make: Callable[..., Access], host: str, found: str) -> None:
    access = make(host=host, token=TOKEN)
    assert access.address(8090) == f"http://{found}:8090"
    assert access.new_link(8090) == f"http://{found}:8090/open"


def test_beyond_loopback_it_needs_a_token_or_a_proxy(make: Callable[..., Access]) -> None:
    with pytest.raises(
        ConfigError, match=r"would be open to everybody on 0\.0\.0\.0: set COUNTERPOISE_DESK__TOKEN_FILE"
    ):
        make(host="0.0.0.0")  # noqa: S104
    with pytest.raises(ConfigError, match="fewer than 16 characters"):
        make(host="0.0.0.0", token="short")  # noqa: S104
    access = make(host="0.0.0.0", token=TOKEN)  # noqa: S104
    assert ask(access)[0] == 401
    assert ask(access, authorization=f"Bearer {TOKEN}")[0] == 200
    assert ask(access, authorization=f"Bearer {TOKEN[:-1]}")[0] == 401
    assert TOKEN not in access.new_link(8090), "a token never stands in a link"
    with pytest.raises(ConfigError, match=r"could send the header X-User: set COUNTERPOISE_DESK__PROXY_ADDRESSES"):
        make(host="0.0.0.0", proxy_user_header="X-User")  # noqa: S104
    with pytest.raises(ConfigError, match=r"PROXY_ADDRESSES: 'proxy'.*expected addresses or networks"):
        make(host="0.0.0.0", proxy_user_header="X-User", proxy_addresses="10.0.0.5, proxy")  # noqa: S104
    proxied = make(host="0.0.0.0", proxy_user_header="X-User", proxy_addresses="10.0.0.5")  # noqa: S104
    assert ask(proxied, client="10.0.0.5")[0] == 401
    assert ask(proxied, client="10.0.0.5", x_user="ann")[0] == 200
    assert ask(proxied, client="10.0.0.6", x_user="ann")[0] == 401, "not from the proxy"
    local = make(proxy_user_header="X-User")
    assert [ask(local, client=peer, x_user="ann")[0] for peer in ("127.0.0.1", "::1", "192.0.2.7")] == [200, 200, 401]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "", "127.0.0.1.evil.example", "[::2]", "[::1", "a]b"]
)
def test_a_name_that_somebody_points_here_is_refused(make: Callable[..., Access], host: str) -> None:
    access = make()
    session = access.open(key_of(access.new_link(8090).partition("?")[2].encode()))
    assert ask(access, cookie=f"{access.cookie_name}={session}", host=host)[0] == 421
    for own in ("localhost:8090", "127.0.0.1", "[::1]:8090"):
        assert ask(access, cookie=f"{access.cookie_name}={session}", host=own)[0] == 200


def test_a_form_of_another_page_is_refused(make: Callable[..., Access]) -> None:
    access = make(token=TOKEN)
    given = {"authorization": f"Bearer {TOKEN}", "method": "POST"}
    assert ask(access, **given)[0] == 403
    for foreign in ("https://evil.example", "http://[", "http://127.0.0.1:x", "//", ""):
        assert ask(access, origin=foreign, **given)[0] == 403, foreign
    assert ask(access, origin="http://127.0.0.1:8090", **given)[0] == 200
    assert ask(access, method="DELETE", authorization=f"Bearer {TOKEN}")[0] == 405


def test_every_answer_has_the_headers(make: Callable[..., Access]) -> None:
    access = make(token=TOKEN)
    for status, head, _ in (ask(access), ask(access, authorization=f"Bearer {TOKEN}"), ask(access, host="evil")):
        assert status in (401, 200, 421)
        assert {name.lower(): value for name, value in HEADERS.items()}.items() <= head.items()
        assert head["cache-control"] == "no-store"
    assert "script-src 'self'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_who_asks_too_often_waits_and_others_do_not(make: Callable[..., Access], clock: Clock) -> None:
    access = make(token=TOKEN)
    given = {"authorization": f"Bearer {TOKEN}"}
    answers = [ask(access, **given)[0] for _ in range(REQUESTS_AT_ONCE + 1)]
    assert answers == [200] * REQUESTS_AT_ONCE + [429]
    assert ask(access, client="127.0.0.2", **given)[0] == 200
    clock.at += 1
    assert ask(access, **given)[0] == 200


@pytest.mark.parametrize(
    "other", ['theme={"dark":1}', "lang", "a=b c", 'q="a', "=v", "expires=Mon, 01 Jan 2030", "ü=1", ";"]
)
def test_cookies_of_others_shut_nobody_out(make: Callable[..., Access], other: str) -> None:
    """A browser sends the cookies of every port of this machine."""
    access = make()
    own = opened(access)["cookie"]
    assert [ask(access, cookie=text)[0] for text in (f"{other}; {own}", f"{own}; {other}", other)] == [200, 200, 401]


def test_two_desks_of_one_host_have_a_cookie_each(tmp_path: Path, clock: Clock) -> None:
    live, demo = (Access(DeskSettings(), tmp_path / name / "desk-link", clock) for name in ("live", "demo"))
    jar = dict(opened(one)["cookie"].split("=") for one in (live, demo))
    both = "; ".join(f"{name}={value}" for name, value in jar.items())
    assert [ask(one, cookie=both)[0] for one in (live, demo)] == [200, 200]
    again = Access(DeskSettings(), tmp_path / "live" / "desk-link", clock)
    assert again.cookie_name == live.cookie_name, "restarts leave no cookies behind"


def test_a_look_at_a_link_does_not_use_it_up(make: Callable[..., Access]) -> None:
    access = make()
    access.new_link(8090)
    assert ask(access, "/open", method="HEAD")[0] == 405
    status, head, body = ask(access, method="HEAD", **opened(access))
    assert (status, head["content-type"], body) == (200, "text/html", "")


@given(st.text(max_size=60))
def test_no_cookie_opens_it_by_chance(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    access = Access(DeskSettings(), tmp_path_factory.mktemp("link") / "run" / "desk-link", Clock())
    assert not access.may({"cookie": f"{access.cookie_name}={value}"}) and not access.may({"cookie": value})


def test_behind_a_proxy_each_person_has_a_rate(make: Callable[..., Access]) -> None:
    access = make(host="0.0.0.0", proxy_user_header="X-User", proxy_addresses="10.0.0.0/8")  # noqa: S104
    given = {"client": "10.0.0.5", "x_user": "ann"}
    answers = [ask(access, x_forwarded_for=f"{at}, 192.0.2.7", **given)[0] for at in range(REQUESTS_AT_ONCE + 1)]
    assert answers == [200] * REQUESTS_AT_ONCE + [429], "what a client writes before its own address changes nothing"
    assert ask(access, x_forwarded_for="192.0.2.8", **given)[0] == 200
    direct = [ask(access, client="192.0.2.9", x_forwarded_for=str(at))[0] for at in range(REQUESTS_AT_ONCE + 1)]
    assert direct == [401] * REQUESTS_AT_ONCE + [429], "the header of another peer does not count"


def opened(access: Access) -> dict[str, str]:
    """The headers of a new session."""
    session = access.open(key_of(access.new_link(8090).partition("?")[2].encode()))
    assert session is not None
    return {"cookie": f"{access.cookie_name}={session}"}


def test_a_form_is_its_callers_alone(make: Callable[..., Access], clock: Clock) -> None:
    access = make(session_hours=1.0)
    ada, bob = opened(access), opened(access)
    token = access.form_token(ada)
    assert access.is_form_token(ada, token)
    assert not access.is_form_token(bob, token)
    assert not any(access.is_form_token(ada, wrong) for wrong in ("", token[:-1], "ü", access.form_token(bob)))
    assert access.form_token({}) == "" and not access.is_form_token({}, ""), "nobody has a form"
    other = make()
    assert not other.is_form_token(ada, token), "not after a restart"
    clock.at += 3_601
    assert not access.is_form_token(ada, token)


def test_a_proxys_user_and_the_bearer_of_the_token_have_forms_too(make: Callable[..., Access]) -> None:
    access = make(proxy_user_header="X-User", token=TOKEN)
    ada, bob, program = {"x-user": "ada"}, {"x-user": "bob"}, {"authorization": f"Bearer {TOKEN}"}
    assert len({access.form_token(one) for one in (ada, bob, program)}) == 3
    assert [access.user(one) for one in (ada, bob, program)] == ["ada", "bob", ""]
    assert make().user(ada) == "", "a header that no proxy was configured for"
    written = {name: name.encode() for name in ("Zoë 七", "vanità", "vanitÅ")} | {"Zoë": "Zoë".encode("latin-1")}
    assert {access.user({"x-user": sent.decode("latin-1")}): sent for sent in written.values()} == written
