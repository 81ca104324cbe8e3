"""Backends that wrap a backend and add one thing to it."""
