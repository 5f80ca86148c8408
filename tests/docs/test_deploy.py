"""The systemd unit and the example alerts for Prometheus: what they name exists, and nothing is more open than it need be."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from counterpoise.runtime.prometheus import exposition
from counterpoise.runtime.service_metrics import COUNTERS, GAUGES, LATENCIES, LATENCY_BUCKETS
from desk.cli.root import ENTRIES
from desk.cli.run import CHILD_GRACE_SECONDS
from desk.web.score_metrics import Scores, families

VERIFIES = [
    ("promtool", "2.42.0 of Debian 12", "real", "the shipped rules and their tests, with the first dead letter"),
]

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "counterpoise.service"
RULES = ROOT / "deploy" / "prometheus-rules.yml"
RULE_TESTS = ROOT / "deploy" / "prometheus-rules.test.yml"


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


def test_the_unit_runs_commands_that_exist_and_leaves_them_time_to_end() -> None:
    service = unit()
    assert service["ExecStart"].split()[1:] == ["run", "all"]
    assert service["ExecStartPre"].split()[1] in ENTRIES
    assert int(service["TimeoutStopSec"]) > CHILD_GRACE_SECONDS
    assert service["KillMode"] == "mixed", "the supervisor ends its services itself"
    assert service["RestartPreventExitStatus"] == "2", "a wrong setting is not mended by a restart"


def test_the_unit_is_not_root_and_holds_no_secret() -> None:
    service = unit()
    assert service["User"] != "root"
    assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"], service["ProtectSystem"]) == (
        "yes",
        "",
        "strict",
    )
    assert (service["UMask"], service["StateDirectoryMode"]) == ("0077", "0700")
    assert not re.search(r"(PASSWORD|TOKEN)=", UNIT.read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_understands_every_line_of_the_unit() -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "counterpoise" in line and "is not executable" not in line]
    assert said == []


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def score_families() -> set[str]:
    """The names of every family that the desk exports."""
    return {family.name for family in families(Scores([], [], []))}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_what_services_say(alert: dict[str, Any]) -> None:
    assert {"summary", "action"} == alert["annotations"].keys()
    snapshot = {
        "service": "streams",
        "healthy": False,
        "started_at": 1.0,
        "last_progress_at": 1.0,
        "waiting_since": 1.0,
        "waiting_on": "kafka",
        "counters": {kind: 0 for kinds in COUNTERS.values() for kind in kinds},
        "info": {"chains": {"bitcoin": dict.fromkeys(GAUGES, 1)}},
        "latencies": [
            {"step": step, "chain": "bitcoin", "counts": [0] * (len(LATENCY_BUCKETS) + 1), "seconds": 0.0}
            for steps in LATENCIES.values()
            for step in steps
        ],
    }
    said = exposition(snapshot).decode()
    metrics = set(re.findall(r"^(counterpoise_\w+)\{", said, flags=re.MULTILINE))
    assert {f"counterpoise_{name}" for name, _ in GAUGES.values()} <= metrics
    assert set(re.findall(r"counterpoise_\w+", alert["expr"])) <= metrics | score_families()
    for kind in re.findall(r'kind="(\w+)"', alert["expr"]):
        assert any(kind in kinds for kinds in COUNTERS.values()), f"no service counts {kind}"


def promtool() -> str | None:
    return os.environ.get("COUNTERPOISE_TEST_PROMTOOL") or shutil.which("promtool")


@pytest.mark.skipif(promtool() is None, reason="no promtool: put it on the PATH or set COUNTERPOISE_TEST_PROMTOOL")
def test_promtool_passes_the_rules_and_their_tests() -> None:
    program = promtool()
    assert program is not None
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(RULE_TESTS)]):
        done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_dead_letter_is_among_the_tests_of_the_rules() -> None:
    """Its counter is 0 before: a counter that begins with its first letter hides it from `increase`."""
    tests = yaml.safe_load(RULE_TESTS.read_text(encoding="utf-8"))
    assert tests["rule_files"] == [RULES.name]
    fired = {
        (series["values"], case["alertname"])
        for test in tests["tests"]
        for case in test["alert_rule_test"]
        for series in test["input_series"]
        if case["exp_alerts"]
    }
    assert ("0x5 1x20", "CounterpoiseDeadLetters") in fired
    for kinds in (COUNTERS["ingest"], COUNTERS["streams"], COUNTERS["market"]):
        assert "dead_letters" in kinds, "its counter begins with 0"


def test_the_runbook_tells_of_every_metric_and_both_files() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    for name in (
        "healthy",
        "start_timestamp_seconds",
        "last_progress_timestamp_seconds",
        "waiting_since_timestamp_seconds",
    ):
        assert f"counterpoise_{name}" in text
    for family in score_families():
        assert family in text or family.startswith("counterpoise_score_")
    for name in (
        "counterpoise_score_",
        "counterpoise_events_total",
        "counterpoise_latency_seconds",
        "counterpoise_build_info",
        "deploy/prometheus-rules.yml",
        "deploy/counterpoise.service",
    ):
        assert name in text
