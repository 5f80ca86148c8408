"""What `status` makes of a service's last words."""

import os
import socket
from typing import Any

import pytest

from counterpoise.kafka.lag import PartitionLag
from desk.supervise.health import EngineReport, Health, ServiceReport, judge
from desk.supervise.next_command import next_command

NOW = 10_000.0


def said(state: str = "working", **more: Any) -> dict[str, Any]:
    base = {
        "state": state,
        "healthy": state in ("starting", "working"),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "updated_at": NOW - 1,
        "last_progress_at": NOW - 60,
        "waiting_on": None,
        "wait_reason": None,
        "waiting_since": None,
        "info": {},
    }
    return base | more


@pytest.mark.parametrize(
    ("status", "state", "healthy", "detail"),
    [
        (None, "never ran", False, "counterpoise run streams"),
        (said(), "working", True, ""),
        (said("starting"), "starting", True, ""),
        (said("stopped"), "stopped", False, "counterpoise run streams"),
        (said("stopped", info={"finished": True}), "stopped", True, "its work is done"),
        (
            said("waiting", waiting_on="clickhouse", wait_reason="refused", waiting_since=NOW - 42),
            "waiting",
            False,
            "on clickhouse for 42 s: refused",
        ),
        (said(updated_at=NOW - 16), "silent", False, "reported nothing for 16 s"),
        (said(updated_at=NOW - 14), "working", True, ""),
        (said(pid=2**22 + 1), "died", False, f"process {2**22 + 1} is gone: counterpoise run streams"),
        (said(pid=2**22 + 1, host="another-container"), "working", True, ""),
    ],
)
def test_judging(status: dict[str, Any] | None, state: str, healthy: bool, detail: str) -> None:
    report = judge("streams", status, NOW, 3)
    assert (report.state, report.healthy, report.detail, report.lag_messages) == (state, healthy, detail, 3)


@pytest.mark.parametrize("status", [None, said("stopped"), said(pid=2**22 + 1)])
def test_a_service_that_falls_again_and_again_names_its_supervisor_and_the_reason(
    status: dict[str, Any] | None,
) -> None:
    report = judge("alerts", status, NOW, None, {"pid": None, "restarts": 7, "last": "exit code 1"})
    assert not report.healthy
    assert report.detail == "its supervisor starts it again: restart 7, exit code 1"
    assert report.restarts == 7
    first = judge("alerts", None, NOW, None, {"pid": 9, "restarts": 0, "last": "started"})
    assert (first.detail, first.restarts) == ("counterpoise run alerts", 0)


def test_one_unhealthy_service_makes_the_whole_unhealthy() -> None:
    well = ServiceReport("a", "working", True, "", None, None, None)
    ill = ServiceReport("b", "waiting", False, "", None, None, None)
    assert Health("d", NOW, (), (well,), (), (), None).healthy
    assert not Health("d", NOW, (), (well, ill), (), (), None).healthy


@pytest.mark.parametrize(("committed", "end", "lag"), [(None, 5, 5), (5, 5, 0), (2, 5, 3), (9, 5, 0)])
def test_lag_counts_all_where_nothing_was_committed_and_never_falls_below_zero(
    committed: int | None, end: int, lag: int
) -> None:
    assert PartitionLag("g", "t", 0, committed, end).lag == lag


def service(name: str, state: str, detail: str = "") -> ServiceReport:
    return ServiceReport(name, state, state == "working", detail, None, None, None)


@pytest.mark.parametrize(
    ("problem", "states", "to_rescore", "expected"),
    [
        (None, ("working", "working"), (), ""),
        (None, ("working", "working"), ("bitcoin",), "counterpoise rescore"),
        (None, ("never ran", "never ran"), (), "counterpoise run all"),
        (None, ("working", "died"), (), "counterpoise run b"),
        (None, ("stopped", "waiting"), (), "counterpoise run a"),
        (None, ("working", "waiting"), (), "counterpoise doctor"),
        ("refused: `counterpoise up` starts it again", ("died", "died"), (), "counterpoise up"),
        ("refused", ("died", "died"), (), "counterpoise doctor"),
        ("Database x does not exist. (code 81, UNKNOWN_DATABASE)", ("never ran",), (), "counterpoise migrate"),
    ],
)
def test_the_next_command(
    problem: str | None, states: tuple[str, ...], to_rescore: tuple[str, ...], expected: str
) -> None:
    engines = (EngineReport("clickhouse", "here", problem, 1.0),)
    services = tuple(service(name, state) for name, state in zip("ab", states, strict=False))
    assert next_command(Health("d", NOW, engines, services, (), (), None, to_rescore)) == expected


def test_a_service_that_is_started_again_needs_no_command_of_its_own() -> None:
    falling = service("b", "died", "its supervisor starts it again: restart 7, exit code 1")
    assert next_command(Health("d", NOW, (), (service("a", "working"), falling), (), (), None)) == "counterpoise doctor"
