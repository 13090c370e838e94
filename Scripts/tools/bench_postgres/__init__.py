"""Measures holdfast beside pgBackRest. `Scripts/bench-postgres` runs it."""
