"""The S3 backend of cloudsync.

`cloudsync_s3.plugin` is what the core loads; nothing else is imported before a location with `s3://` is opened.
"""
