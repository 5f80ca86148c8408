"""A job with --json: one object on standard output, whatever the job prints itself, and however it ends."""

from __future__ import annotations

import json

import pytest
import structlog

from counterpoise.errors import RetryableError
from desk.cli.job_result import job_result
from desk.cli.say import say


def test_the_object_is_all_that_standard_output_has(capsys: pytest.CaptureFixture[str]) -> None:
    with job_result(True) as result:
        say("migrated")
        structlog.get_logger("kafka").info("topics are made anew")
        result.update(dataset="七彩\x1b[2J", created=("a", "b"))
    out, err = capsys.readouterr()
    assert json.loads(out) == {"complete": True, "dataset": "七彩\x1b[2J", "created": ["a", "b"]}
    assert "\x1b" not in out and "migrated" in err and "topics are made anew" in err


def test_without_json_the_job_prints_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    with job_result(False) as result:
        say("migrated")
        result.update(dataset="live")
    assert capsys.readouterr() == ("migrated\n", "")


@pytest.mark.parametrize("end", [RetryableError("no answer"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_job_that_stopped_reports_what_it_did_and_ends_as_before(
    end: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(type(end)), job_result(True) as result:
        result.update(blocks=7)
        raise end
    assert json.loads(capsys.readouterr().out) == {"complete": False, "blocks": 7}


def test_a_job_that_had_not_begun_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RetryableError), job_result(True):
        raise RetryableError("no answer")
    assert capsys.readouterr() == ("", "")


def test_a_job_states_itself_that_it_was_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with job_result(True) as result:
        result.update(complete=False)
    assert json.loads(capsys.readouterr().out) == {"complete": False}
