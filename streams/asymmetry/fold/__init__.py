"""The pure fold of both sides into the asymmetry score."""
