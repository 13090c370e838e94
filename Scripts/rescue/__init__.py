"""Restores snapshots of a holdfast repository where no holdfast runs. `rescue.py` beside this directory is the command.

Written from docs/format.md alone, in its words; "section" means one of it. Each file uses only those before it:
problems, codecs, format, parity, sealing, keyring, shards, objects, repository, bodies, chain, then restore, verify
and log, then command.
"""
