"""Mirror, publish and watch: compositions of the engine."""
