"""What every test of the core shares; servers come from `tests.servers`, registered by the conftest at the root."""
