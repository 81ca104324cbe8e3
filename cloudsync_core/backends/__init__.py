"""The backends that need no plugin."""
