"""Measures holdfast beside its peers. `Scripts/bench` runs it."""
