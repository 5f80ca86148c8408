"""A folder that people and jobs put files into; each file is read once, whole, and ends in `processed` or `failed`.

    <folder>/<mapping>/report.csv          put here, best under another name (.part, or a leading dot) and then renamed
    <folder>/<mapping>/mapping.yaml        how to read them; not needed where <mapping> is a shipped mapping
    <folder>/<mapping>/.taken/             being read; read again after a crash
    <folder>/<mapping>/processed/, failed/ where it went; beside a failed file, report.csv.why.txt

A file is taken by a rename, its releases are journalled, and only then is it moved on. A crash between two of these steps repeats the
later ones. Releases are named by their content, and nothing in them depends on when they are read (`fetched` is the file's own time
here), so the same file again gives the same releases: none is journalled twice, and none is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from counterpoise.errors import ConfigError, DeadLetterError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import DropSettings
from counterpoise.visible import visible
from ingest.releases.file_names import free_name, named_like
from ingest.releases.journal.durable_files import FolderLock, move_durably, write_durably
from ingest.releases.journal.entry import entry_of
from ingest.releases.journal.release_journal import JournalFullError, ReleaseJournal
from ingest.releases.mapping.mapping import Mapping
from ingest.releases.mapping.mapping_file import load_mapping, shipped_names
from ingest.releases.mapping.releases_of_file import releases_of_file, require_known_ending

MAPPING_FILE: Final = "mapping.yaml"
_OWN_FOLDERS: Final = (".taken", "processed", "failed")
_UNFINISHED: Final = (".part", ".tmp", ".crdownload")

log = structlog.get_logger("market")


@dataclass(frozen=True, slots=True)
class _SeenFile:
    """What a file looked like, and since when it has."""

    size: int
    modified_ns: int
    since: float


@dataclass(frozen=True, slots=True)
class _Inbox:
    folder: Path
    mapping: Mapping
    stamp: tuple[int, int] | None
    """Of its mapping file when it was read: an edited one is read again."""

    @property
    def taken(self) -> Path:
        return self.folder / ".taken"


class DropFolder:
    """See the module. One process a folder, one thread. ConfigError where the folder cannot work.

    A mapping that cannot be read, and a file that lies where none is read, are reported and hinder nothing else.
    """

    def __init__(
        self,
        settings: DropSettings,
        catalogue: Catalogue,
        journal: ReleaseJournal,
        *,
        clock: Clock,
        count: Callable[[str], None],
    ) -> None:
        if settings.folder is None:
            raise ConfigError("source drop needs a folder: set COUNTERPOISE_MARKET__DROP__FOLDER")
        self._folder = settings.folder
        self._settings = settings
        self._catalogue = catalogue
        self._journal = journal
        self._clock = clock
        self._count = count
        self._seen: dict[Path, _SeenFile] = {}
        self._inboxes: dict[Path, _Inbox] = {}
        self._reported: dict[Path, str] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self._folder)
        except OSError as error:
            raise ConfigError(f"the drop folder {self._folder} cannot be used: {error.strerror}") from None
        if not self._lock.take():
            raise ConfigError(f"the drop folder {self._folder} is read by another process: give each its own")

    def scan(self) -> int:
        """Look once, and read what is ready; how many files were dealt with."""
        dealt_with = 0
        self._report_misplaced(self._folder, "put it into the folder of a mapping")
        for folder in self._sub_folders():
            try:
                if not (folder / MAPPING_FILE).is_file() and not any(folder.iterdir()):
                    continue  # an empty one may be filled yet
                inbox = self._inboxes.get(folder)
                if inbox is None or inbox.stamp != _stamp(folder):
                    inbox = self._inboxes[folder] = self._inbox(folder)
                dealt_with += self._scan_inbox(inbox)
            except (ConfigError, OSError) as error:
                self._inboxes.pop(folder, None)
                self._report(folder, "a drop folder cannot be read", str(error))
            else:
                self._reported.pop(folder, None)
        return dealt_with

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.release()

    def _report(self, path: Path, event: str, reason: str) -> None:
        if self._reported.get(path) != reason:  # once, and again when it is another
            log.error(event, path=str(path), reason=reason)
        self._reported[path] = reason

    def _report_misplaced(self, folder: Path, next_step: str) -> None:
        """Files where nobody reads them."""
        misplaced = {
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and (path.is_symlink() or not path.is_dir())
        }
        for path in sorted(misplaced):
            self._report(path, "a dropped file is not read where it is", next_step)
        for path in [path for path in self._reported if path.parent == folder and path not in misplaced]:
            if not path.is_dir():
                del self._reported[path]

    def _sub_folders(self) -> list[Path]:
        return sorted(p for p in self._folder.iterdir() if p.is_dir() and not p.name.startswith("."))

    def _inbox(self, folder: Path) -> _Inbox:
        own, stamp = folder / MAPPING_FILE, _stamp(folder)
        if not own.is_file() and folder.name not in shipped_names():
            raise ConfigError(
                f"{folder} has no {MAPPING_FILE} and is named after no shipped mapping ({', '.join(shipped_names())})"
            )
        mapping = load_mapping(str(own) if own.is_file() else folder.name, self._catalogue)
        inbox = _Inbox(folder, mapping, stamp)
        for name in _OWN_FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        return inbox

    def _scan_inbox(self, inbox: _Inbox) -> int:
        dealt_with = sum(self._read(inbox, path) for path in sorted(inbox.taken.iterdir()))
        for path in sorted(inbox.folder.iterdir()):
            if path.name == MAPPING_FILE or path.name.startswith(".") or path.suffix in _UNFINISHED:
                continue
            if path.is_dir() and not path.is_symlink():
                if path.name not in _OWN_FOLDERS:
                    self._report_misplaced(path, f"folders within {inbox.folder.name} are not read: move it up")
                continue
            if self._is_settled(path):
                taken = free_name(inbox.taken / path.name)
                try:
                    move_durably(path, taken)
                except FileNotFoundError:  # renamed away since it was looked at
                    continue
                crash_point("market-after-take")
                dealt_with += self._read(inbox, taken)
        return dealt_with

    def _is_settled(self, path: Path) -> bool:
        """Whether nobody has written to it for a while."""
        try:
            found = path.lstat()
        except FileNotFoundError:  # renamed away since the folder was listed
            self._seen.pop(path, None)
            return False
        now = self._clock.monotonic()
        seen = self._seen.get(path)
        if seen is None or (seen.size, seen.modified_ns) != (found.st_size, found.st_mtime_ns):
            seen = self._seen[path] = _SeenFile(found.st_size, found.st_mtime_ns, now)
        if now - seen.since < self._settings.settle_seconds:
            return False
        del self._seen[path]
        return True

    def _read(self, inbox: _Inbox, path: Path) -> bool:
        """Bring one taken file to its end; False where it has to wait for room in the journal."""
        try:
            content = self._content(path)
            releases = releases_of_file(
                inbox.mapping,
                self._catalogue[inbox.mapping.series],
                content,
                name=path.name,
                modified_ms=int(path.stat().st_mtime) * 1000,
                now_ms=int(self._clock.now() * 1000),
            )
            entries = [entry_of(release) for release in releases]
        except DeadLetterError as error:
            self._fail(inbox, path, str(error))
            return True
        except Exception as error:  # a file that its reader cannot stand would end the service at every start
            log.exception("a dropped file met a bug", mapping=inbox.mapping.name, file=path.name)
            self._fail(inbox, path, f"{path.name} cannot be read: {type(error).__name__}: {error}"[:500])
            return True
        try:
            new = self._journal.append(entries)
        except JournalFullError as error:
            log.error("a dropped file waits", mapping=inbox.mapping.name, file=path.name, reason=str(error))
            return False
        crash_point("market-after-journal")
        move_durably(path, free_name(inbox.folder / "processed" / path.name))
        self._count("dropped_files")
        log.info(
            "read a dropped file",
            mapping=inbox.mapping.name,
            file=path.name,
            releases=len(releases),
            new=sum(new),
            publication=inbox.mapping.assumed_publication or None,
        )
        return True

    def _content(self, path: Path) -> bytes:
        if path.is_symlink() or not path.is_file():
            raise DeadLetterError("not-a-file", f"{path.name} is no plain file")
        require_known_ending(path.name)
        size = path.stat().st_size
        if size > self._settings.max_file_bytes:
            raise DeadLetterError(
                "too-large", f"{path.name} has {size} bytes, at most {self._settings.max_file_bytes} are read"
            )
        try:
            return path.read_bytes()
        except OSError as error:
            raise DeadLetterError("unreadable", f"{path.name} cannot be read: {error.strerror}") from None

    def _fail(self, inbox: _Inbox, path: Path, reason: str) -> None:
        target = free_name(inbox.folder / "failed" / path.name)
        why = named_like(target, ".why.txt", target.name)
        write_durably(why, f"{visible(reason)}\n".encode())
        move_durably(path, target)
        self._count("failed_files")
        log.error("a dropped file cannot be read", mapping=inbox.mapping.name, file=path.name, reason=reason)


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Tells one state of a folder's own mapping from another; None where it has none."""
    try:
        found = (folder / MAPPING_FILE).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
