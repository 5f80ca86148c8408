"""The API over the sample dataset."""

from tests.integration.api.conftest import address, app, reader, served, written

__all__ = ["address", "app", "reader", "served", "written"]
