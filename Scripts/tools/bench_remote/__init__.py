"""Measures holdfast beside restic, with their repositories behind a network. `Scripts/bench-remote` runs it."""
