"""Pure parsers of what publishers of market data write."""
