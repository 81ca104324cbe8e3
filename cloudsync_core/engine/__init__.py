"""The stages that every workflow is composed of; each is a function from iterator to iterator."""
