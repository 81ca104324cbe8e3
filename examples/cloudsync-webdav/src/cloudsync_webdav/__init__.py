"""The webdav backend of cloudsync."""
