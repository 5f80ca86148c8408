"""The command line: the only place that composes ingest, streams and alerts. `main` is the console script."""

from desk.cli.late_imports import put_off

put_off()  # before anything else is imported

from desk.cli.root import main  # noqa: E402

__all__ = ["main"]
