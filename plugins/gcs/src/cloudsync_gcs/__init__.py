"""The Google Cloud Storage backend of cloudsync.

`cloudsync_gcs.plugin` is what the core loads; nothing else is imported before a location with `gs://` is opened.
"""
