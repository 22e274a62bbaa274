"""Simulated participants: they trade through the API as anyone does, so that every market has a book and a past.

`prices` and `participants` decide and know nothing of the world, `accounts` and `stage` carry that out through
somebody who answers requests; `live` is such a one over HTTP, `history` over an exchange on a simulated clock.
"""
