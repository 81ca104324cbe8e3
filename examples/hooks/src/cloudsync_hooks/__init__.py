"""An example of each hook, one a module; what each does is set by an environment variable, and nothing without it."""
