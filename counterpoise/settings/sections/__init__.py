"""The groups of settings, by what they set."""
