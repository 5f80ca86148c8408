import threading
from pathlib import Path

import pytest

from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from desk.cli.run import RUNNERS
from desk.cli.whole_line import sole_replay
from desk.supervise.only_one import SCALED, only_one


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path, dataset="demo")


def test_a_second_holder_is_refused_until_the_first_has_gone(settings: Settings) -> None:
    with (
        only_one(settings, "streams", patience_seconds=0.0),
        pytest.raises(
            ConfigError,
            match=r"^streams of dataset demo already runs with the state directory .*: stop it, or use another",
        ),
        only_one(settings, "streams", patience_seconds=0.0),
    ):
        pass
    with only_one(settings, "streams", patience_seconds=0.0):
        pass


@pytest.mark.parametrize("name", ["supervisor", "replay", *sorted(set(RUNNERS) - set(SCALED))])
def test_what_has_one_process_has_no_instance(settings: Settings, name: str) -> None:
    named = settings.model_copy(update={"instance": "b"})
    label = name if name in ("supervisor", "replay") else f"supervisor-{name}"
    for one in {name, label}:
        with pytest.raises(ConfigError, match=rf"^COUNTERPOISE_INSTANCE is 'b', and {one} has one process"):
            only_one(named, one, patience_seconds=0.0).__enter__()
    assert not settings.state_dir.joinpath("run").exists()


@pytest.mark.parametrize("name", SCALED)
def test_two_instances_do_not_meet(settings: Settings, name: str) -> None:
    a, b = (settings.model_copy(update={"instance": one}) for one in "ab")
    with only_one(a, name, patience_seconds=0.0), only_one(b, f"supervisor-{name}", patience_seconds=0.0):
        with pytest.raises(ConfigError, match="already runs"):
            only_one(a, name, patience_seconds=0.0).__enter__()
        with only_one(b, name, patience_seconds=0.0):
            pass


def test_other_names_and_datasets_do_not_meet(settings: Settings) -> None:
    with (
        only_one(settings, "streams", patience_seconds=0.0),
        only_one(settings, "alerts", patience_seconds=0.0),
        only_one(settings.model_copy(update={"dataset": "other"}), "streams", patience_seconds=0.0),
    ):
        pass


def test_a_second_replay_of_the_dataset_is_refused(settings: Settings) -> None:
    with (
        sole_replay(settings),
        pytest.raises(ConfigError, match=r"^replay of dataset demo already runs .*: wait until it ends, or stop it$"),
        sole_replay(settings),
    ):
        pass


def test_a_replay_is_refused_where_ingest_runs(settings: Settings) -> None:
    with (
        only_one(settings, "ingest", patience_seconds=0.0),
        pytest.raises(ConfigError, match=r"^ingest of dataset demo already runs .* replay into another dataset$"),
        sole_replay(settings),
    ):
        pass


def test_a_replay_leaves_the_services_locks_to_the_services(settings: Settings) -> None:
    with (
        sole_replay(settings),
        only_one(settings, "streams", patience_seconds=0.0),
        only_one(settings, "alerts", patience_seconds=0.0),
    ):
        pass


def test_a_state_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    settings = Settings(state_dir=tmp_path / "file")
    with (
        pytest.raises(ConfigError, match="cannot be used: Not a directory; choose another with --state-dir"),
        only_one(settings, "streams", patience_seconds=0.0),
    ):
        pass


def test_a_wait_ends_when_the_waiting_one_is_told_to_stop(settings: Settings) -> None:
    stop = threading.Event()
    stop.set()
    with (
        only_one(settings, "streams", patience_seconds=0.0),
        pytest.raises(ConfigError, match="already runs"),
        only_one(settings, "streams", patience_seconds=3_600.0, stop=stop),
    ):
        pass
