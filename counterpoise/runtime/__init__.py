"""A service's logs, and its status for people, health checks and the supervisor."""
