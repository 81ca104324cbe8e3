"""One scripted history, run between every two stores: the same objects and the same reports, whatever the provider."""
