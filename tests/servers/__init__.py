"""Fixtures that start real servers; `conftest.py` at the root registers them for every test of the repository."""
