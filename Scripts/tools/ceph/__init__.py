"""Ceph's gateway for S3, and what becomes of runs when Ceph does not answer. `Scripts/test-ceph` runs it."""
