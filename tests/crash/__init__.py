"""Runs that die at every step, at random moments, and of a power failure: P6, and what holds right after (P1-P5)."""
