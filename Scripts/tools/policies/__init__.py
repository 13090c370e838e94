"""Tries the policies of docs/operations.md against a server that enforces them. `Scripts/try-policies` runs it."""
