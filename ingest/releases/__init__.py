"""Market sources: what they publish becomes releases. The normalisers here are pure: content in, releases out."""
