"""What crosses a process boundary: frozen, versioned pydantic models and the topics that carry them. Pure."""
