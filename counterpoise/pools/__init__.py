"""From the evidence of a block to its pool, and from a pool to its entity. Pure."""
