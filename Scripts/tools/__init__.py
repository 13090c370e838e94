"""What the scripts beside this directory share. `Tests/tools` has its tests."""
