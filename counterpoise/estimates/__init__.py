"""Estimates from a window of three different things: its blocks (exact), the hashrate behind them now, and the next blocks. Pure."""
