"""One file per chain, each with a `CHAIN`; `counterpoise.chain.chain_registry` finds them."""
