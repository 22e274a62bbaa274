"""Schema changes of portfolios, applied in their order."""
