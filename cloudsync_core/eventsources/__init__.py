"""The event sources of the core: directories of this machine, and polling for everything else."""
