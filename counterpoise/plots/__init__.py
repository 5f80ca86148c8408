"""Plots as SVG text from values. Pure."""
