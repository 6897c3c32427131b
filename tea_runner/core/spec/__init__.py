"""Pipeline files: parse, check and describe them."""
