"""Schema changes of wallets, applied in their order."""
