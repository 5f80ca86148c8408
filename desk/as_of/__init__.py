"""A past day by what was known at its end, beside the same day by what is known now."""
