"""The Azure backend of cloudsync.

`cloudsync_azure.plugin` is what the core loads; nothing else is imported before a location with `az://` is opened.
"""
