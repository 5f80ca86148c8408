"""What a window says about three different things: its blocks (exact), the hashrate behind them now, and the next blocks. Pure."""
