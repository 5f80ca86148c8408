"""Which reports of other processes `status` shows, and what they mean for its verdict."""

import itertools
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.kafka.lag import PartitionLag
from counterpoise.settings.model import Settings
from desk.supervise import health
from desk.supervise.elsewhere import SILENT_AFTER_SECONDS, RemoteService, elsewhere
from desk.supervise.health import EngineReport, Health, ServiceReport
from desk.supervise.only_one import only_one
from desk.supervise.run_folders import forget_old_instances, run_folders

NOW = 10_000.0


def remote(service: str = "streams", instance: str = "a", **more: Any) -> RemoteService:
    base: dict[str, Any] = {
        **{"service": service, "instance": instance, "host": "h1", "folder": "/s", "pid": 7, "version": "1"},
        **{"state": "working", "waiting_on": "", "problem": "", "heights": {}, "last_progress_at": None},
        **{"started_at": NOW - 100, "age_seconds": 3.0},
    }
    return RemoteService(**(base | more))


def local(instance: str, folder: str = "/s", **more: Any) -> tuple[Path, dict[str, Any]]:
    return Path(folder), {"service": "streams", "instance": instance, "host": "h1", "started_at": NOW - 100} | more


def test_what_files_of_this_machine_hold_is_not_elsewhere() -> None:
    assert elsewhere([remote(), remote(instance="b", host="h2")], [local("a")]) == (remote(instance="b", host="h2"),)


def test_who_stopped_in_order_is_gone_and_who_finished_is_not() -> None:
    stopped, finished = remote(state="stopped"), remote("ingest", "f", state="finished")
    assert elsewhere([stopped, finished], []) == (finished,)
    assert finished.runs


@pytest.mark.parametrize("known_by", ["report", "file"])
def test_a_restart_replaces_the_process_before_it(known_by: str) -> None:
    killed, restarted = remote(started_at=NOW - 100), remote(instance="b", started_at=NOW - 5)
    found = (
        elsewhere([killed, restarted], [])
        if known_by == "report"
        else elsewhere([killed], [local("b", started_at=NOW)])
    )
    assert found == ((restarted,) if known_by == "report" else ())


places = st.tuples(st.sampled_from(["streams", "alerts"]), st.sampled_from(["h1", "h2"]), st.sampled_from(["/s", "/t"]))


@given(st.lists(st.tuples(places, st.integers(0, 50), st.sampled_from(["working", "silent", "stopped"])), max_size=12))
def test_one_process_a_place_is_shown_and_it_is_the_latest(drawn: list[tuple[tuple[str, str, str], int, str]]) -> None:
    reports = [
        remote(service, f"i{at}", host=host, folder=folder, started_at=float(started), state=state)
        for at, ((service, host, folder), started, state) in enumerate(
            {(p, s): (p, s, t) for p, s, t in drawn}.values()
        )
    ]
    shown = elsewhere(reports, [])
    assert {(r.service, r.host, r.folder): r.started_at for r in shown} == {
        place: latest.started_at
        for place, group in itertools.groupby(
            sorted(reports, key=lambda r: (r.service, r.host, r.folder, r.started_at)),
            key=lambda r: (r.service, r.host, r.folder),
        )
        if (latest := list(group)[-1]).state != "stopped"
    }
    assert len(shown) == len({(r.service, r.host, r.folder) for r in shown})


def verdict(*others: RemoteService, services: tuple[ServiceReport, ...] = ()) -> bool:
    return Health("d", NOW, (EngineReport("kafka", "", None, 1.0),), services, (), (), None, (), others).healthy


def test_a_wait_elsewhere_is_not_healthy_and_a_silent_one_only_where_nobody_replaces_it() -> None:
    waits = remote(state="waiting", problem="on kafka: refused")
    silent = remote(state="silent", problem="reported nothing for 40 s", age_seconds=SILENT_AFTER_SECONDS + 10)
    assert verdict(remote())
    assert not verdict(waits)
    assert not verdict(silent)
    assert not verdict(silent, remote("alerts", "x"))
    assert verdict(silent, remote(instance="b", host="h2"))
    assert verdict(silent, services=(ServiceReport("streams", "working", True, "", None, None, None),))


def test_an_alerter_that_stands_by_is_well_while_another_one_judges() -> None:
    spare = remote("alerts", "s", state="waiting", waiting_on="alerter", problem="on alerter: another one leads")
    assert verdict(spare, remote("alerts", "l", host="h2"))
    assert not verdict(spare), "nobody judges"
    assert not verdict(
        spare, remote("alerts", "l", host="h2", state="waiting", waiting_on="kafka", problem="on kafka: x")
    )
    status = {"waiting_on": "alerter"}
    here = ServiceReport("alerts", "waiting", False, "on alerter for 9 s", None, None, status)
    assert verdict(remote("alerts", "l", host="h2"), services=(here,))
    assert not verdict(services=(here,))


def test_the_head_of_the_desk_has_every_process_and_the_lag_once() -> None:
    lag = (PartitionLag("g", "t", 0, 1, 5), PartitionLag("g", "t", 1, 2, 5))
    replicas = tuple(
        ServiceReport("streams", "working", True, "", 7, None, None, instance=name) for name in ("c1", "c2")
    )
    found = Health("d", NOW, (), replicas, lag, (), None, (), (remote("alerts", host="h2"),))
    assert [name for name, _, _, _ in found.processes] == ["streams c1", "streams c2", "alerts h2"]
    assert found.lag_messages == 7
    assert Health("d", NOW, (), replicas, (), (), None).lag_messages is None


def put(folder: Path, service: str, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    status = {
        **{"service": service, "instance": "i", "host": socket.gethostname(), "pid": os.getpid(), "state": "working"},
        **{"healthy": True, "updated_at": NOW, "started_at": NOW - 9, "info": {}, "last_progress_at": None},
    }
    (folder / f"{service}.json").write_text(json.dumps(status | more))
    return folder


def test_each_named_instance_of_a_state_directory_is_reported(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, dataset="d")
    put(settings.run_root, "streams", state="stopped", healthy=False)
    for name in ("c1", "c2"):
        put(settings.model_copy(update={"instance": name}).run_dir, "streams")
    dead = settings.model_copy(update={"instance": "c3"}).run_dir
    put(dead, "streams", host="gone", updated_at=NOW - 60)
    put(settings.model_copy(update={"instance": "c4"}).run_dir, "streams", host="gone", updated_at=NOW - 4_000)
    found = health._reports_on(settings, "streams", health._statuses(settings, NOW), NOW, None)
    assert [(r.instance, r.state) for r in found] == [("c1", "working"), ("c2", "working"), ("c3", "silent")]
    assert verdict(services=tuple(found)), "others do its work"
    assert not verdict(services=tuple(found[2:])), "nobody does"


def test_the_instance_is_a_folder_of_the_run_folder(tmp_path: Path) -> None:
    plain = Settings(state_dir=tmp_path, dataset="d")
    assert plain.run_dir == plain.run_root == tmp_path / "run" / "d"
    named = Settings(state_dir=tmp_path, dataset="d", instance="w-1")
    assert (named.run_root, named.run_dir) == (plain.run_root, plain.run_root / "instances" / "w-1")
    by_host = Settings(state_dir=tmp_path, dataset="d", instance="hostname")
    assert by_host.run_dir == plain.run_root / "instances" / socket.gethostname()


@pytest.mark.parametrize("name", ["..", "a/b", ".", "-x", "a b", "a" * 65, "é"])
def test_an_instance_that_is_no_plain_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Exception, match=r"^settings: instance: expected letters, digits"):
        Settings.load(state_dir=tmp_path, instance=name)


def test_folders_of_containers_that_are_long_gone_are_removed(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, dataset="d", instance="me")
    for name in ("me", "old", "new"):
        put(settings.model_copy(update={"instance": name}).run_dir, "streams")
    journal = settings.run_root / "market"
    journal.mkdir()
    for path in (settings.run_root, *settings.run_root.rglob("*")):
        if "new" not in path.parts:
            os.utime(path, (NOW, NOW))
    forget_old_instances(settings, NOW + 6 * 86_400)
    assert len(run_folders(settings)) == 4
    forget_old_instances(settings, NOW + 8 * 86_400)
    assert [folder.name for folder in run_folders(settings)] == ["d", "me", "new"]
    assert journal.is_dir()


def test_the_folder_of_a_process_that_cannot_write_stays(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, dataset="d", instance="me")
    stuck = settings.model_copy(update={"instance": "stuck"})
    with only_one(stuck, "streams", patience_seconds=0.0):
        put(stuck.run_dir, "streams")
        for path in (stuck.run_dir, *stuck.run_dir.iterdir()):
            os.utime(path, (NOW, NOW))
        forget_old_instances(settings, NOW + 8 * 86_400)
        assert stuck.run_dir.is_dir()
    forget_old_instances(settings, NOW + 8 * 86_400)
    assert not stuck.run_dir.exists()
