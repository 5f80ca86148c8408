"""The sample of the SQL suite."""

from tests.integration.sql.conftest import sample

__all__ = ["sample"]
