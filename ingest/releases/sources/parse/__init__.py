"""Parsers of what publishers of market data write. Pure."""
