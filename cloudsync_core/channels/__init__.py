"""Channels: append-only logs of updates in a container, which any number of subscribers receive (docs/channels.md)."""
