"""Mappings: how a file or a JSON document becomes releases. Pure."""
