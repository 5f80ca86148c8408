"""The engines and lines of the stream tests."""

from tests.integration.streams.conftest import engines, line

__all__ = ["engines", "line"]
