"""The HTTP endpoint that releases are pushed to."""
