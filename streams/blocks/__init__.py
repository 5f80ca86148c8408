"""Blocks in; blocks, attributions and concentration out."""
