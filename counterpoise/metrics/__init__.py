"""Every metric, one file each, and how their columns are named and computed. Pure."""
