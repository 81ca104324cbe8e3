"""Releases: immutable published trees, and the pointers that say which one readers see (docs/releases.md)."""
