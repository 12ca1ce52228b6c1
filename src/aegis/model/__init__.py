"""Pure values, and what is pure over them."""
