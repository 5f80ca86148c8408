"""Acknowledgements and silences on the page: the same rows as those of a command, and none for anybody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from alerts.policy import Action
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.alert_transition import AlertEvidence
from desk.alert_requests import Person, acknowledge_alert
from desk.named_queries import named_query
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.integration.sql.sample import ALERT
from tests.integration.web.running import RunningDesk, running_desk
from tests.integration.web.test_alert_page import id_of, insert
from tests.waiting import PATIENCE_SECONDS

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}

ID = id_of("no-block")


@pytest.fixture
def desk(
    own_sample: ClickHouse, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> Iterator[RunningDesk]:
    """The sample with one alert that fires."""
    insert(own_sample, "no-block", AlertEvidence(chain="bitcoin", sql="SELECT 1 AS seconds"))
    settings = settings_for(
        kafka, clickhouse, tmp_path, dataset=own_sample.database, dataset_kind="simulated", desk={"port": 0}
    )
    with running_desk(settings) as found:
        yield found


def token_of(client: httpx.Client, alert_id: str = ID) -> str:
    [found] = re.findall(r'name="token" value="(\w+)"', client.get(f"/alert/{alert_id}").text)
    return str(found)


def ask(client: httpx.Client, asked: str, *, alert_id: str = ID, **form: str) -> httpx.Response:
    given = {"ask": asked, "author": "ada", "reason": "pool\nmaintenance"} | form
    return client.post(f"/alert/{alert_id}/ask", data=given, headers=SAME_ORIGIN)


def rows(ch: ClickHouse) -> list[Action]:
    return [one for one in AlertStore(ch).actions.read() if one.target != ALERT]


def test_a_person_acknowledges_and_silences_and_the_page_shows_it(desk: RunningDesk, own_sample: ClickHouse) -> None:
    with desk.opened() as client:
        token = token_of(client)
        page = ask(client, "acknowledge", token=token).text
        assert "<b>Acknowledged</b> by ada" in page and "pool maintenance" in page and "on this page" in page
        assert 'value="acknowledge"' not in page
        assert "<b>Silenced until" in ask(client, "silence-4h", token=token, author=" bob ", reason="").text
        again = ask(client, "acknowledge", token=token, author="eve")
        assert again.status_code == 409 and "ada acknowledged it before" in again.text
        too_late = ask(client, "acknowledge", alert_id=ALERT, token=token)
        assert too_late.status_code == 409 and "it is resolved" in too_late.text
        assert ask(client, "acknowledge", alert_id="ffff", token=token).status_code == 409
        assert "never fired" in ask(client, "useful", alert_id="ffff", token=token).text
        for verdict, author in (("useful", "ada"), ("noise", "bob"), ("noise", "ada"), ("useful", "eve")):
            assert "<b>Noise</b> to bob" in ask(client, verdict, token=token, author=author).text or verdict == "useful"
        assert "<b>Useful</b> to ada" in ask(client, "useful", alert_id=ALERT, token=token).text, "it ended before"
        assert ask(client, "why", token=token).status_code == 400
        assert ask(client, "silence-4h", token=token, author=" ").status_code == 400
        assert ask(client, "silence-4h", token=token, reason="x" * 5_000).status_code == 413
    acknowledged, silence = [one for one in rows(own_sample) if one.kind not in ("useful", "noise")]
    assert (acknowledged.kind, acknowledged.target) == ("acknowledge", ID)
    assert (acknowledged.author, acknowledged.reason, acknowledged.via) == ("ada", "pool maintenance", "page")
    assert (silence.kind, dict(silence.matchers), silence.author) == ("silence", {"alert": ID}, "bob")
    assert silence.until == pytest.approx(silence.at + 4 * 3_600, abs=60)
    verdicts = own_sample.query(named_query("rule_verdicts").sql, {"rule": ""})
    assert verdicts == [("no-block", 1, 1, 2, pytest.approx(0.667)), ("top4-share", 1, 1, 0, 0.0)]
    known = acknowledge_alert(AlertStore(own_sample), ID, Person("eve"))
    assert known == acknowledged, "a command finds the page's row"


def test_nobody_else_writes(desk: RunningDesk, own_sample: ClickHouse) -> None:
    anybody = httpx.Client(base_url=desk.url, trust_env=False, timeout=PATIENCE_SECONDS)
    with desk.opened() as client, desk.opened() as other, anybody as stranger:
        token = token_of(client)
        assert ask(stranger, "acknowledge", token=token).status_code == 401
        assert ask(other, "acknowledge", token=token).status_code == 403, "the form of another session"
        assert ask(client, "acknowledge").status_code == 403, "without the form"
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {}):
            given = {"ask": "acknowledge", "author": "eve", "token": token}
            assert client.post(f"/alert/{ID}/ask", data=given, headers=headers).status_code == 403
        assert client.get(f"/alert/{ID}/ask").status_code == 405
    assert rows(own_sample) == []


def test_the_page_can_be_without_the_form(desk: RunningDesk, own_sample: ClickHouse, tmp_path: Path) -> None:
    own = desk.settings.desk.model_copy(update={"actions": False})
    settings = desk.settings.model_copy(update={"desk": own, "state_dir": desk.settings.state_dir})
    with desk.opened() as client:
        token = token_of(client)
    with running_desk(settings) as closed, closed.opened() as client:
        assert "<form" not in client.get(f"/alert/{ID}").text.partition("<main")[2]
        assert ask(client, "acknowledge", token=token).status_code == 404
    assert rows(own_sample) == []
