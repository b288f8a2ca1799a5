"""The store, and the engine over it."""
