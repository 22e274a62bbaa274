"""How many sockets a process may have."""

import resource


def allow_many_sockets() -> None:
    """As many as the system lets this process, and those that it starts, have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
