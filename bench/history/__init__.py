"""A history ten times as long as today's, beside today's."""
