"""The command line: the only place that composes ingest, streams and alerts. `main` is the console script."""

from desk.cli.root import main

__all__ = ["main"]
