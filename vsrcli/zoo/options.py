"""Options of nets that a user may set after loading, such as IconVSR's keyframe interval."""

from collections.abc import Sequence

from vsrcli.errors import UsageError
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.loading import LoadedModel


def set_option(models: Sequence[LoadedModel], option: str, value: object) -> None:
    """Set an option on the nets of all models that have it. Raises UsageError if none has."""
    having = [model for model in models if option in model.net.options]
    if not having:
        names = " and ".join(a.net.__name__ for a in ARCHITECTURES.values() if option in a.net.options)
        asked = ", ".join(model.name for model in models)
        raise UsageError(f"the {option.replace('_', ' ')} is an option of {names}, not of {asked or 'no model'}")
    for model in having:
        setattr(model.net, option, value)
