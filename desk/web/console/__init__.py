"""`/sql`: the SQL console. The server runs one statement at a time for it, read-only, and can end it."""
