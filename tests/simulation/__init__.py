"""The deterministic simulator: all six services in one process, on a simulated clock, bus and disk, from one integer.

The handlers, the writers, the stores over SQLite and the matching kernel are the real ones. `world.py` decides, by its
seed alone, who acts next and what goes wrong. `python -m tests.simulation SEED` replays a seed.

What the simulated parts promise, and no more:

- Clock: ticks go forward, and ids are fresh. Each service has a wall time of its own, which jumps either way, and
  stands still.
- Bus, events: what is lost is followed, in the end, by news that the log goes further. It loses, cuts, repeats,
  reorders and delays, and is parted in two.
- Bus, requests: whoever asks gets one answer, in the end: that of the service, or `overloaded` after a time-out.
  It loses a question or its answer, repeats questions between services, and delays both, also beyond the time-out.
- Disk: what was committed stays, and a transaction is there whole or not at all. It ends a service at any call of a
  port, is full, fails to read, and fails to sync, with or without having kept what was to be synced.
"""
