"""Find options that were typed and have no effect, so that a command can say so."""

from collections.abc import Collection, Iterator

import click
from click.core import ParameterSource


def typed_beside(used: Collection[str]) -> list[str]:
    """Return the flags of options that were typed on the command line and whose parameters are not among `used`."""
    return [flag for name, flag in _typed() if name not in used]


def typed_of(names: Collection[str]) -> list[str]:
    """Return the flags of options that were typed on the command line and whose parameters are among `names`."""
    return [flag for name, flag in _typed() if name in names]


def _typed() -> Iterator[tuple[str, str]]:
    context = click.get_current_context()
    for one in context.command.params:
        if context.get_parameter_source(str(one.name)) is ParameterSource.COMMANDLINE and isinstance(one, click.Option):
            yield str(one.name), max(one.opts, key=len)
