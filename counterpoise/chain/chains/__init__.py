"""One file a chain, each with a `CHAIN`; `counterpoise.chain.chain_registry` finds them."""
