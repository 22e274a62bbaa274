"""The buses: in one process, between processes of one machine, and over NATS."""
