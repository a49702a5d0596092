"""The library's logger "vsrcli", for messages that no caller handles.

A note is of level INFO, a warning WARNING, and the beginning and end of a job's stages DEBUG. Nothing is shown unless
the program sets logging up, for example by `logging.basicConfig(level=logging.INFO)`. A caller that passes `on_event`,
`progress` or `say` gets the news instead.
"""

import logging

LOG = logging.getLogger("vsrcli")
LOG.addHandler(logging.NullHandler())


def note(line: str) -> None:
    """Write information to the log."""
    LOG.info("%s", line)


def warning(line: str) -> None:
    """Write a warning about a result to the log."""
    LOG.warning("%s", line)
