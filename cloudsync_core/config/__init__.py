"""The configuration file: its model, its loader, and the references to secrets in it."""
