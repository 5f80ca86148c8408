"""Market sources, one a file."""
