"""The deterministic simulator: all six services in one process, on a simulated clock, bus and disk, from one integer.

The handlers, the writers, the stores over SQLite and the matching kernel are the real ones. `world.py` decides, by its
seed alone, who acts next and what goes wrong. `python -m tests.simulation SEED` replays a seed.

What the simulated parts promise, and no more:

| part | promises | does besides |
|---|---|---|
| clock | ticks go forward; each service has wall time and ids of its own, and ids are fresh | wall times jump either way, stand still, and differ |
| bus, events | what is lost is followed, in the end, by news that the log goes further | loses, cuts, repeats, reorders, delays; partitions |
| bus, requests | one answer, in the end: the service's, or `overloaded` after a time-out | loses a question or its answer, repeats, delays |
| disk | what was committed stays, and a transaction is there whole or not at all | ends a service at any call of a port; is full; fails to read or to sync |
"""
