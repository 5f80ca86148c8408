"""Free loopback ports for tests."""

from counterpoise.embedded.ports import free_port

__all__ = ["free_port"]
