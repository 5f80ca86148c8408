"""Where alerts are sent: Slack, or a console."""
