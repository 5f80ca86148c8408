"""Rows of each table: a contract, or a fold's arrays, as the columns of an insert. One file a table; pure."""
