"""Borsa: a self-hosted, event-driven crypto exchange."""

__version__ = "0.1.0"
