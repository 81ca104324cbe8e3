"""The clauses of the backend contract as tests, by subject."""
