"""Databases with the sample in them, as the SQL tests have."""

from tests.integration.sql.conftest import empty, own_sample, sample

__all__ = ["empty", "own_sample", "sample"]
