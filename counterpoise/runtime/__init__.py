"""What a service says about itself: its logs, and its status for people, health checks and the supervisor."""
