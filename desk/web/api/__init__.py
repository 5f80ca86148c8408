"""`/api/v1`: the read-only API. One endpoint is one entry of `endpoints.py`; parameters, OpenAPI and errors follow from it."""
