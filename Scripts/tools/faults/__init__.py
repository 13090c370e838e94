"""Drives holdfast against a real server through faults. `Scripts/fault-runs` runs it."""
