"""The Faust agents: each takes messages, hands them to its worker, and acknowledges them when their work is done for good."""
