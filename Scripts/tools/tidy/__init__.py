"""Checks the rules of the project that no compiler and no formatter knows. `Scripts/tidy` runs them."""
