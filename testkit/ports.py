"""Free loopback ports for tests."""

from engines.ports import free_port

__all__ = ["free_port"]
