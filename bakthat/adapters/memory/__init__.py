"""Stores, database and configuration in memory, for tests. `bakthat.testing.memory` is their public home."""
