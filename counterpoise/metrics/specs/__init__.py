"""One file a metric. A file states `SPECS`, the metric and its bounds and interval; `registry.py` finds it by itself."""
