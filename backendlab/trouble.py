"""A problem for the person to solve: what happened, what it means, what to do next; printed without a traceback."""


class Trouble(Exception):
    """Raised with that sentence; `backendlab.cli` prints it and exits with 1."""
