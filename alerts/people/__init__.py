"""What people do in Slack, written as rows: presses of buttons, reasons, and slash commands over Socket Mode."""
