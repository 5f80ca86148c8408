"""A misspelt variable is reported by every command, with the setting that was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.cli.root import main
from desk.settings_reference import variables
from desk.strange_variables import PREFIX, describe, strange_variables
from tests.runbook import assert_shown

KNOWN = sorted(variables())


@given(st.sampled_from([name for name in KNOWN if "__" in name]))
def test_one_missing_underscore_is_found_and_the_setting_is_named(name: str) -> None:
    misspelt = name.replace("__", "_", 1)
    assert strange_variables([misspelt, name, "PATH"]) == [misspelt]
    assert describe([misspelt]) == f"{misspelt} (did you mean {name}?)"


SLIPS = st.sampled_from(
    [PREFIX[:at] + PREFIX[at + 1 :] for at in range(len(PREFIX))]  # a letter is missing, or the underscore
    + [PREFIX[:at] + PREFIX[at] + PREFIX[at:] for at in range(len(PREFIX))]  # doubled
    + [PREFIX[: at - 1] + PREFIX[at] + PREFIX[at - 1] + PREFIX[at + 1 :] for at in range(1, len(PREFIX))]  # swapped
    + ["COUNTER_POISE_", "COUNTER-POISE_"]
)


@given(SLIPS, st.sampled_from([name for name in KNOWN if "__" in name]), st.booleans())
def test_a_slip_in_the_beginning_is_found_in_either_case(slip: str, name: str, lower: bool) -> None:
    misspelt = slip + name.removeprefix(PREFIX)
    misspelt = misspelt.lower() if lower else misspelt
    assert strange_variables([misspelt, name, name.lower()]) == ([] if misspelt.upper() == name else [misspelt])
    assert "COUNT" in misspelt.upper() or "POIS" in misspelt.upper(), "desk/cli/root.py looks for one of both"


@pytest.mark.parametrize(
    "name", ["COUNTER", "COUNTRY_CODE", "COUNTERPART_URL", "POISE", "DISCOUNT__RATE", "COUNTERPOISEUR"]
)
def test_what_is_only_alike_passes(name: str) -> None:
    assert strange_variables([name]) == []


def test_every_setting_and_the_variables_of_tests_pass() -> None:
    assert strange_variables([*KNOWN, "COUNTERPOISE_TEST_KAFKA", "COUNTERPOISE_CRASH_POINT", "HOME"]) == []


def test_each_of_several_has_its_own_hint() -> None:
    said = describe(["COUNTERPOISE_DATASETS", "COUNTERPOISE_SLACK_TOKEN", "COUNTERPOISE_XYZZY_QWERTY_0815"])
    assert "COUNTERPOISE_DATASETS (did you mean COUNTERPOISE_DATASET?)" in said
    assert "COUNTERPOISE_SLACK_TOKEN (did you mean COUNTERPOISE_SLACK__TOKEN?)" in said


@pytest.mark.parametrize("command", [["down"], ["pools", "--help"]])
def test_a_command_reports_it(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("COUNTERPOISE_SLACK_TOKEN", "xoxb-secret")
    monkeypatch.setenv("COUNTERPOISE_STATE_DIR", str(tmp_path))
    assert main(command) == 0
    said = capsys.readouterr().err
    assert (
        "warning: not a setting, and never read: COUNTERPOISE_SLACK_TOKEN (did you mean COUNTERPOISE_SLACK__TOKEN?)"
        in said
    )
    assert "xoxb-secret" not in said
    assert_shown("not a setting, and never read", said)


def test_a_service_leaves_it_to_its_supervisor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERPOISE_SLACK_TOKEN", "x")
    monkeypatch.setattr("sys.argv", ["counterpoise", "run", "streams", "--child"])
    main(["pools", "--help"])
    assert "never read" not in capsys.readouterr().err
