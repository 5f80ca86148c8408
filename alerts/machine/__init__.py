"""The state machine of a rule, its state along a chain, and the ledger of its rows. Pure."""
