"""Every file of the state directory in every hostile shape: nothing outside is touched, and the answer is one line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.private_files import (
    How,
    NotPrivateError,
    check_state_dir,
    open_private,
    private_folder,
    read_private,
    write_private,
)
from counterpoise.runtime.service_status import ServiceStatus, read_status
from counterpoise.settings.endpoints import EmbeddedEndpoints
from counterpoise.settings.model import Settings
from desk.cli.root import main
from desk.cli.whole_file import whole_file
from desk.cli.whole_line import Services
from desk.supervise.only_one import only_one
from engines.processes import end_process, is_ours, started_at
from engines.stack import down, records, up
from tests.runbook import assert_shown

CONTENT = "of somebody else\n"
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can give files to another user")
STRANGER = 12_345


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file outside of the state directory, which must stay as it is."""
    file = tmp_path / "victim"
    file.write_text(CONTENT)
    before = file.stat()
    yield file
    after = file.stat()
    assert file.read_text() == CONTENT
    assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (before.st_mode, before.st_uid, before.st_mtime_ns)


def plant_symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def plant_hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def plant_pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def plant_folder(path: Path, victim: Path) -> None:
    path.mkdir()


PLANTS = [plant_symlink, plant_hard_link, plant_pipe, plant_folder]


def use_lock(settings: Settings) -> None:
    with only_one(settings, "streams", patience_seconds=0.0):
        pass


def use_status(settings: Settings) -> None:
    ServiceStatus("streams", settings.run_dir, SystemClock()).close()


USES: dict[str, Callable[[Settings], object]] = {
    "embedded/lock": lambda settings: down(settings.state_dir),
    "embedded/engines.json": lambda settings: records(settings.state_dir),
    "embedded/endpoints.json": lambda settings: EmbeddedEndpoints.read(settings.state_dir),
    "embedded/password": lambda settings: up(settings.state_dir),
    "embedded/reader-password": lambda settings: up(settings.state_dir),
    "embedded/kafka.log": lambda settings: up(settings.state_dir),
    "run/demo/streams.lock": use_lock,
    "run/demo/streams.json": lambda settings: read_status(settings.run_dir, "streams"),
    "run/demo/services.log": lambda settings: Services(settings, settings.run_dir / "services.log"),
}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", USES)
def test_no_file_of_the_state_directory_is_opened_through_a_link(
    tmp_path: Path, victim: Path, name: str, plant: Callable[[Path, Path], None]
) -> None:
    settings = Settings(state_dir=tmp_path / "state", dataset="demo")
    path = settings.state_dir / name
    private_folder(path.parent)
    plant(path, victim)
    try:
        USES[name](settings)
    except (ConfigError, IsADirectoryError) as error:
        assert "\n" not in str(error)
    else:
        assert plant is plant_hard_link or plant is plant_folder, "what is only read may have two names"
        assert name.endswith(".json")


@pytest.mark.parametrize("plant", [plant_symlink, plant_hard_link, plant_pipe])
def test_a_file_that_is_replaced_never_reaches_what_stood_in_its_place(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None]
) -> None:
    folder = private_folder(tmp_path / "state")
    plant(folder / "file.json", victim)
    plant(folder / f".file.json.{os.getpid()}.draft", victim)
    write_private(folder / "file.json", "ours")
    assert (folder / "file.json").read_text() == "ours"
    assert [p.name for p in folder.iterdir()] == ["file.json"]
    plant(folder / f".page.{os.getpid()}", victim)
    with whole_file(folder / "page") as partial:
        partial.write_text("ours")


@pytest.mark.parametrize("name", ["embedded", "run", "run/demo"])
def test_no_folder_of_the_state_directory_is_a_link(tmp_path: Path, name: str) -> None:
    elsewhere = private_folder(tmp_path / "elsewhere" / "demo").parent
    state = private_folder(tmp_path / "state")
    private_folder((state / name).parent)
    (state / name).symlink_to(elsewhere)
    with pytest.raises(NotPrivateError, match="is a link and is not followed: remove it, or choose another"):
        settings = Settings(state_dir=state, dataset="demo")
        use_status(settings)
    assert sorted(p.name for p in elsewhere.rglob("*")) == ["demo"]


@pytest.mark.parametrize("mode", [m for m in range(0o700, 0o1000) if m & 0o022])
def test_a_state_directory_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    with pytest.raises(NotPrivateError, match=rf"has mode {mode:04o}, so other users can write to it: chmod go-w "):
        Settings(state_dir=tmp_path / "state")


@pytest.mark.parametrize("mode", [m for m in range(0o700, 0o1000) if not m & 0o022])
def test_one_that_others_can_only_read_is_used(tmp_path: Path, mode: int) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    use_status(Settings(state_dir=tmp_path / "state"))


COMMANDS = [
    *(("up",), ("down",), ("status",), ("migrate",), ("run", "all"), ("run", "streams", "--child")),
    *(("sql", "SELECT 1"), ("report",), ("alerts", "list"), ("dlq", "list"), ("replay", "--blocks", "blocks.csv")),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_it_in_one_line(
    tmp_path: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERPOISE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blocks.csv").write_text("")
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    assert main(list(command)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("counterpoise: ")
    assert err.count("\n") == 1
    assert err.endswith("or choose another with --state-dir or COUNTERPOISE_STATE_DIR\n")
    assert_shown("A state directory is refused", err)
    assert list((tmp_path / "state").iterdir()) == []


@needs_root
def test_a_state_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    state = private_folder(tmp_path / "state")
    os.chown(state, STRANGER, STRANGER)
    with pytest.raises(NotPrivateError, match=rf"belongs to user {STRANGER}, not to you \(0\): choose another"):
        Settings(state_dir=state)
    mine = private_folder(tmp_path / "mine")
    (tmp_path / "link").symlink_to(mine)
    check_state_dir(tmp_path / "link")
    os.lchown(tmp_path / "link", STRANGER, STRANGER)
    with pytest.raises(NotPrivateError, match=f"is a link that user {STRANGER} made"):
        check_state_dir(tmp_path / "link")


@needs_root
@pytest.mark.parametrize("how", ["read", "append", "lock", "replace", "update"])
def test_a_file_of_another_user_is_not_opened(tmp_path: Path, how: How) -> None:
    path = private_folder(tmp_path / "state") / "file"
    path.write_text(CONTENT)
    os.chown(path, STRANGER, STRANGER)
    with pytest.raises(NotPrivateError, match=rf"belongs to user {STRANGER}"):
        open_private(path, how)
    assert path.read_text() == CONTENT


def test_new_files_and_folders_are_this_users_only_whatever_the_mask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        folder = private_folder(tmp_path / "state" / "run" / "demo")
        write_private(folder / "a", "")
        open_private(folder / "b", "append").close()
    finally:
        os.umask(mask)
    assert {oct(p.stat().st_mode & 0o777) for p in (folder, folder.parent, folder.parent.parent)} == {"0o700"}
    assert {oct(p.stat().st_mode & 0o777) for p in (folder / "a", folder / "b")} == {"0o600"}


def test_a_file_beyond_all_measure_is_not_read(tmp_path: Path) -> None:
    path = private_folder(tmp_path / "state") / "streams.json"
    with path.open("wb") as file:
        file.truncate(17 * 1024**2)
    with pytest.raises(ValueError, match="is over 16777216 bytes"):
        read_private(path)
    assert read_status(path.parent, "streams") is None


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this user's that no engine is."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "sleeper-1"])
    yield process
    process.kill()
    process.wait()


HOSTILE: list[dict[str, object]] = [
    {},
    {"marker": ""},
    {"marker": "sleep"},
    {"marker": "sleeper-1", "name": "clickhouse"},
    {"name": "other"},
    {"name": ""},
    {"port": "9092"},
    {"port": None},
    {"http_port": []},
    {"started": None},
    {"started": ""},
    {"pid": 0},
    {"pid": -1},
    {"pid": 1},
    {"pid": 2**40},
    {"pid": "1"},
    {"pid": True},
]


@pytest.mark.parametrize("changed", HOSTILE, ids=str)
def test_down_ends_no_process_that_only_a_file_names(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], changed: dict[str, object]
) -> None:
    folder = private_folder(tmp_path / "state" / "embedded")
    record = {
        "name": "kafka",
        "pid": sleeper.pid,
        "started": started_at(sleeper.pid),
        "marker": "sleeper-1",
        "port": 9092,
    }
    (folder / "engines.json").write_text(json.dumps([record | {"http_port": None} | changed]))
    assert down(tmp_path / "state") == ()
    assert sleeper.poll() is None


def test_a_process_is_ended_only_with_its_command_line_its_start_and_its_user(
    sleeper: subprocess.Popen[bytes],
) -> None:
    started = started_at(sleeper.pid)
    assert started is not None
    time.sleep(0.05)  # a clock tick is 10 ms: the later one has another start
    later = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "sleeper-1"])
    try:
        assert not end_process(later.pid, "sleeper-1", started), "the id was used again by another"
        assert later.poll() is None
    finally:
        later.kill()
        later.wait()
    assert not end_process(sleeper.pid, "another", started)
    assert not end_process(sleeper.pid, "", started)
    assert sleeper.poll() is None
    assert end_process(sleeper.pid, "sleeper-1", started)
    assert not is_ours(sleeper.pid, "sleeper-1", started)


@needs_root
def test_a_process_of_another_user_is_not_ended() -> None:
    process = subprocess.Popen(["sleep", "600"], user=STRANGER)
    try:
        assert not end_process(process.pid, "sleep 600", started_at(process.pid) or "")
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
