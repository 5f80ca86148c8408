"""The fold of one chain: the block tree, attribution and concentration scores. Pure."""
