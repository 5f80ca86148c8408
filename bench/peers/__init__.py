"""Other systems that fold the same blocks, beside ours."""
