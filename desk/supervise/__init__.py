"""Keep the services running, know a stall from a wait, and report how everything is."""
