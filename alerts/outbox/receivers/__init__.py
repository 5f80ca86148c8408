"""Receivers of alerts: Slack, or a console."""
