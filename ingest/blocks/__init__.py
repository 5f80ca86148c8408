"""Block sources and the service that publishes their blocks."""
