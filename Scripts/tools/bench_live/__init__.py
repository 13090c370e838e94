"""Measures what it costs to capture a live SQLite database. `Scripts/bench-live` runs it."""
