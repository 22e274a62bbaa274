"""Schema changes of trades, applied in their order."""
