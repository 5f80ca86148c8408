"""Releases in; dispersion, placement and growth out."""
