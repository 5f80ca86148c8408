"""Parsers of what nodes and explorers answer. Pure."""
