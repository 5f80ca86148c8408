"""Files that a command writes atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from counterpoise.errors import ConfigError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` at the end of the block; if the block raises, `path` stays as it was.

    What is no regular file (/dev/stdout, a named pipe) is written to directly. A file that cannot be written is a ConfigError.
    """
    direct = path.exists() and not path.is_file()
    partial = path if direct else path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not direct:
            partial.unlink(missing_ok=True)  # a link in its place would have another file overwritten
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
        yield partial
        if not direct:
            partial.replace(path)
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written: {error.strerror or error}") from None
    finally:
        if not direct:
            partial.unlink(missing_ok=True)
