"""What everything shows, as files: take one before a change and one after it, and compare them.

    python -m tests.snapshot take DIR [--checkout OTHER]
    python -m tests.snapshot compare A B

It knows the console commands, the tables and Slack's Web API, and no module of the product but the Slack-shaped server. So it stays
the same while modules move.
"""
