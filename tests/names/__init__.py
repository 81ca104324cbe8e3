"""Names on their way through a mirror: each arrives as it is, or is refused and reported."""
