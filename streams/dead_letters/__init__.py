"""Dead letters of other services, stored."""
