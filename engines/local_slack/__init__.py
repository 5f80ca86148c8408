"""A small Slack workspace on loopback: the methods that the alerter calls, Socket Mode, and the channel as a page."""
