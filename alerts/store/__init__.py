"""What the alerter reads from and writes to ClickHouse."""
