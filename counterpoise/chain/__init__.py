"""The block tree: which of the blocks seen are on the best chain. Pure: values in, values out."""
