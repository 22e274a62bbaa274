"""How it runs: writers, log, bus, store and HTTP. Knows no word of the domain."""
