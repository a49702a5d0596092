"""Find options that were typed and have no effect, so that a command can say so."""

from collections.abc import Collection

import click
from click.core import ParameterSource


def typed_beside(used: Collection[str]) -> list[str]:
    """Return the flags of options that were typed on the command line and whose parameters are not among `used`."""
    context = click.get_current_context()
    options = [one for one in context.command.params if isinstance(one, click.Option) and one.name not in used]
    typed = [one for one in options if context.get_parameter_source(str(one.name)) is ParameterSource.COMMANDLINE]
    return [max(one.opts, key=len) for one in typed]
