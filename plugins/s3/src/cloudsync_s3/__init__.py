"""The S3 backend of cloudsync."""
