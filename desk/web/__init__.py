"""The desk: the live page, its API and its SQL console."""
