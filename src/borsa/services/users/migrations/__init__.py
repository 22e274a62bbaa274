"""Schema changes of users, applied in their order."""
