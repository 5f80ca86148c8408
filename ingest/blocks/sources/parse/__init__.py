"""Pure parsers of what nodes and explorers answer."""
