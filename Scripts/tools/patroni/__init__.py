"""A PostgreSQL cluster under Patroni, with holdfast as its archive, its bootstrap and its replica method."""
