"""The engines and lines of the stream tests."""

from tests.integration.streams.conftest import engines, line, own_engines

__all__ = ["engines", "line", "own_engines"]
