"""Every setting, the reference page made from them, and the addresses of the engines."""
