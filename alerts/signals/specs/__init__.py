"""One file a signal. A file states `SIGNALS`; `registry.py` finds it by itself."""
