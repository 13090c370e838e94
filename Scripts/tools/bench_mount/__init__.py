"""Measures reading from a mount of snapshots, beside that of restic. `Scripts/bench-mount` runs it."""
