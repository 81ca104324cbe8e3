"""cloudsync keeps data in step across storage providers."""
