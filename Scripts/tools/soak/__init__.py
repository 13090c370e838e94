"""Captures live databases again and again while they are written. `Scripts/soak` runs it."""
