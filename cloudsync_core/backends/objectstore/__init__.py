"""What the plugins of object stores share: kept-alive HTTP, failures on the way, large objects, long listings.

Nothing here knows a provider. A plugin says what a request is, who asks, and what an answer means; the rooms here carry
it. `cloudsync_core.backends.http1` has the exchange itself.
"""
