"""One file per page that has its own address."""
