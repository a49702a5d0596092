"""Error messages as the command line prints them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vsrcli.cli.messages import full
from vsrcli.errors import VsrError


@contextmanager
def told(kind: type[VsrError], pattern: str) -> Iterator[None]:
    """Expect an error whose line on the command line, with its advice, matches a pattern."""
    with pytest.raises(kind) as raised:
        yield
    assert re.search(pattern, full(raised.value)), full(raised.value)
