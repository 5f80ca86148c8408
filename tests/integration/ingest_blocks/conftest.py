"""Fixtures of this folder."""

from tests.integration.kafka_sockets import closed_kafka_sockets

__all__ = ["closed_kafka_sockets"]
