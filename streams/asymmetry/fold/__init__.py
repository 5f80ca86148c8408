"""The fold of both sides into the asymmetry score. Pure."""
