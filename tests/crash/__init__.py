"""Runs that die at every step, at random moments, and of a power failure: P6, and what holds right after (P1-P5).

All of it takes some 80 seconds of one processor, a third of them for the hundred kills of `test_random_kills.py`; it is
to stay below 120. What a further pair of stores or a further point costs is in `test_every_point.py`: half a second a
death. What does not fit belongs into `nox -s soak`, which lets a run die at every passing of every point on all pairs.
"""
