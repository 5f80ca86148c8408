"""Both sides in; the asymmetry score out."""
