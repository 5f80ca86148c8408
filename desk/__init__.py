"""What people touch: the command line, supervision, the report."""
