"""Where alerts are told: Slack, or a console."""
