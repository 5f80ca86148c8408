"""Accepted releases on disk until ClickHouse holds them."""
