"""What rules judge: values read from scores, releases and the clock. Pure."""
