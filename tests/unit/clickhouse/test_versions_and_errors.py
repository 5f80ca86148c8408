"""Versions order rows without a clock; errors say what to do."""

from __future__ import annotations

import pytest
from clickhouse_driver import errors as driver

from counterpoise.clickhouse.error_codes import CONFIGURATION, RETRYABLE, classify, first_line, translated
from counterpoise.clickhouse.versions import MAX_EPOCH, Versions, epoch_of
from counterpoise.errors import ConfigError, RetryableError


def test_versions_rise_and_a_later_epoch_wins_over_all_of_an_earlier_one() -> None:
    old, new = Versions(3), Versions(4)
    first, second = old.next(), old.next()
    assert first == (3 << 40) + 1
    assert second == first + 1
    assert new.next() > (3 << 40) + (1 << 40) - 1 >= second
    assert epoch_of(second) == 3
    assert (MAX_EPOCH << 40) + (1 << 40) - 1 < 2**63


@pytest.mark.parametrize("epoch", [0, -1, MAX_EPOCH + 1])
def test_epochs_outside_the_range_are_refused(epoch: int) -> None:
    with pytest.raises(ValueError, match="an epoch is"):
        Versions(epoch)


def test_no_code_has_two_meanings() -> None:
    assert not RETRYABLE.keys() & CONFIGURATION.keys()


@pytest.mark.parametrize("code", [159, 202, 209, 210, 241, 252, 254, 289])
def test_overload_and_timeouts_are_retried(code: int) -> None:
    found = classify(driver.ServerException("DB::Exception: too much. Stack trace:\n0. main", code), "ch:9000/x")
    assert isinstance(found, RetryableError)
    assert str(found) == f"ClickHouse ch:9000/x: too much. (code {code}, {RETRYABLE[code]})"


@pytest.mark.parametrize("code", [75, 76, 1001, 1002])
def test_a_full_disk_of_the_server_is_waited_for_whatever_its_code(code: int) -> None:
    """75 and 1001 are CANNOT_WRITE_TO_FILE_DESCRIPTOR and STD_EXCEPTION: the same codes without these words are bugs."""
    words = "DB::Exception: Cannot write to file: /x/tmp: , errno: 28, strerror: No space left on device"
    found = classify(driver.ServerException(words, code), "ch:9000/x")
    assert isinstance(found, RetryableError)
    assert f"(code {code}, the disk is full)" in str(found)
    assert classify(driver.ServerException("DB::Exception: Cannot write to file", code), "ch:9000/x") is None


def test_configuration_mistakes_name_the_next_step() -> None:
    found = classify(driver.ServerException("DB::Exception: Unknown table expression identifier 'x'", 60), "ch:9000/x")
    assert isinstance(found, ConfigError)
    assert str(found) == (
        "ClickHouse ch:9000/x: Unknown table expression identifier 'x' (code 60, UNKNOWN_TABLE); run `counterpoise migrate`"
    )


@pytest.mark.parametrize(
    "error", [EOFError("closed"), ConnectionResetError("reset"), driver.NetworkError("refused"), TimeoutError()]
)
def test_a_lost_connection_is_retried(error: Exception) -> None:
    with pytest.raises(RetryableError), translated("ch:9000/x"):
        raise error


def test_a_mistake_in_a_statement_stays_what_it_is() -> None:
    with pytest.raises(driver.ServerException), translated("ch:9000/x"):
        raise driver.ServerException("DB::Exception: Syntax error", 62)
    with pytest.raises(KeyError), translated("ch:9000/x"):
        raise KeyError("ours")


def test_first_line_is_one_line() -> None:
    error = driver.ServerException("DB::Exception: a\n  b. Stack trace:\n\n0. x", 62)
    assert first_line(error) == "a b."
    assert (
        first_line(driver.ServerException("Database x does not exist. (UNKNOWN_DATABASE).", 81))
        == "Database x does not exist."
    )
    assert len(first_line(driver.ServerException("x" * 1000, 62))) == 400
