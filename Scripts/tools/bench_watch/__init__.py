"""Measures `holdfast watch` beside Litestream. `Scripts/bench-watch` runs it."""
