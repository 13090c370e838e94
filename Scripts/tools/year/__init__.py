"""Counts how often holdfast is right about disasters in a year of a shop. `Scripts/simulate-year` runs it."""
