"""Schema changes of orders, applied in their order."""
