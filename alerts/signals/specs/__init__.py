"""One file per signal. A file states `SIGNALS`; `registry.py` finds it by itself."""
