"""Schema changes of notifications, applied in their order."""
