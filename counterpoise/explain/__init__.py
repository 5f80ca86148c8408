"""Why a metric moved between two windows: parts by pool that sum to the change. Pure."""
