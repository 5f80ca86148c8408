"""The small layer over Kafka that every service shares: probing, topics, lag, and clients with our settings."""
