"""Messages on their way to a receiver: jobs, their text, and the worker that sends them."""
