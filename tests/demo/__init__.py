"""The simulated participants: what they decide, the day before the first start, and at a running exchange."""
