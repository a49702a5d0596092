"""Settings in TOML files, which replace the defaults of options.

The command line takes precedence over variables (VSR_*), those over the project's file, and that over the user's.
"""

import contextlib
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from vsrcli.errors import UsageError

PROJECT = "vsr.toml"
"""Name of the project's file, in the working folder."""
NEVER = frozenset({"help", "version", "config", "no_config", "debug"})
"""Options that no file can set."""
VARIABLES = frozenset(f"VSR_{name}" for name in ("HOME", "CACHE", "WEIGHTS_MIRROR", "CONFIG", "NO_CONFIG", "DEBUG"))
"""Variables that are not for one command's options."""
EXCLUSIVE = (
    ("scale", "height", "size", "fit"),
    *(("size", other) for other in ("square_pixels", "max_height", "pad")),
    *((other, "pad") for other in ("scale", "height")),
    ("crf", "bitrate", "target_size"),
    ("shards", "shard_frames"),
    ("as_markdown", "as_csv", "as_json"),
    ("quiet", "verbose"),
)
"""Groups of options of which the one with the highest precedence (command line, variable, file) replaces the others."""


_READ = "vsr.settings"
"""Key of the files that were read, in the meta data of click's context."""


def user_file() -> Path:
    """Return the path of the user's settings."""
    import platformdirs

    return platformdirs.user_config_path("vsr", appauthor=False) / "config.toml"


def files_here() -> list[Path]:
    """Return the settings files that apply here, the one with lower precedence first."""
    return [path for path in (user_file(), Path(PROJECT)) if path.is_file()]


def defaults(group: click.Group, invoked: str, files: list[Path]) -> dict[str, Any]:
    """Return the settings of a command as click's default_map, {command: {parameter: value}}.

    A file has keys for all commands that know them, and tables for single commands ([upscale], [train.run]).
    Raises UsageError, in one line that names the file, for what is no TOML, unknown keys and values that do not fit.
    """
    command = group.get_command(click.Context(group), invoked)
    merged: dict[str, Any] = {}
    for path in files:
        table = _read(path)
        shared = {key: value for key, value in table.items() if not isinstance(value, dict)}
        for key in shared:
            if not any(_matching(one, key) for one in _all_commands(group, first=command)):
                raise UsageError(f"{path}: no command has an option {key}{_close(key, _names(command))}")
        for name, own in table.items():
            if isinstance(own, dict) and name not in group.list_commands(click.Context(group)):
                close = _close(name, group.list_commands(click.Context(group)))
                raise UsageError(f"{path}: there is no command {name}{close}")
        if command is not None:
            _fill(merged, command, shared, path, invoked, strict=False)
            _fill(merged, command, table.get(invoked, {}), path, invoked, strict=True)
    return {invoked: merged}


def apply(ctx: click.Context, config: Path | None, *, none: bool) -> None:
    """Apply the settings of its command to a context of the group; only those of `config`, if it is named."""
    if none or ctx.invoked_subcommand is None:
        return
    group = ctx.command
    assert isinstance(group, click.Group)
    files = ctx.meta[_READ] = [config] if config is not None else files_here()
    ctx.default_map = defaults(group, ctx.invoked_subcommand, files) if files else None


def unknown_variables(ctx: click.Context) -> list[str]:
    """Return lines on variables VSR_* that nothing reads, except those for options of commands that are not invoked."""
    group, name = ctx.command, ctx.invoked_subcommand
    command = group.get_command(ctx, name) if isinstance(group, click.Group) and name is not None else None
    if command is None or name is None:
        return []
    assert isinstance(group, click.Group)
    prefix = f"{ctx.auto_envvar_prefix}_"
    own = f"{prefix}{name}_".upper()
    read, others = set(_read_variables(command)), tuple(f"{prefix}{one}_".upper() for one in group.list_commands(ctx))
    lines = []
    for variable in sorted(set(os.environ) - read - VARIABLES):
        rest = variable.removeprefix(prefix)
        if variable.startswith(own):
            options = [one.removeprefix(own).lower().replace("_", "-") for one in read]
            close = _close(variable.removeprefix(own).lower(), options)
            lines.append(f"{variable}: vsr {name} has no such option{close}")
        elif rest != variable and own + rest in read:
            lines.append(f"{variable} is not read: write {own}{rest}")
        elif rest != variable and not variable.startswith(others):
            found = difflib.get_close_matches(variable, sorted(VARIABLES | read), n=1)
            lines.append(f"{variable} is not read" + (f" (did you mean {found[0]}?)" if found else ""))
    return lines


def _read_variables(command: click.Command) -> Iterator[str]:
    """Yield the variables from which the options of a command, or of a group's commands, are read."""
    yield from (str(option.envvar) for option in command.params if isinstance(option, click.Option))
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _read_variables(inner)


def flag_name(option: click.Option) -> str:
    """Return the name by which variables call an option: its first long flag, with underscores."""
    return next(flag for flag in option.opts if flag.startswith("--"))[2:].replace("-", "_")


def name_variables(command: click.Command, prefix: str) -> None:
    """Let each option of a command, or of a group's commands, be read from the variable that is named like its flag."""
    for option in command.params:
        if isinstance(option, click.Option):
            option.envvar, option.allow_from_autoenv = f"{prefix}_{flag_name(option)}".upper(), False
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        name_variables(inner, f"{prefix}_{name}")


def add_options(group: click.Group, command: click.Command) -> click.Command:
    """Let a command take --config and --no-config after its name too."""
    if isinstance(command, click.Group) or any(param.name == "config" for param in command.params):
        return command

    def named(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
        if value is not None and ctx.parent is not None:
            ctx.meta[_READ] = [value]
            ctx.default_map = defaults(group, str(command.name), [value])[str(command.name)]

    def without(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.default_map = None

    path = click.Path(path_type=Path)
    more: dict[str, Any] = {"is_eager": True, "expose_value": False}
    named_option = click.Option(["--config"], type=path, callback=named, help="Read this settings file.", **more)
    without_option = click.Option(["--no-config"], is_flag=True, callback=without, help="Read no settings.", **more)
    command.params += [named_option, without_option]
    return command


def closest(ctx: click.Context, asked: dict[str, Any]) -> dict[str, Any]:
    """Return a command's parameters without those that one of higher precedence excludes."""
    order = ["COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP"]
    for names in EXCLUSIVE:
        sources = {name: getattr(ctx.get_parameter_source(name), "name", "") for name in names if name in asked}
        given = {name: order.index(source) for name, source in sources.items() if source in order}
        for name, rank in given.items():
            if rank > min(given.values()):
                asked = asked | {name: False if asked[name] is True else None}
    return asked


def set_elsewhere(ctx: click.Context, asked: Mapping[str, Any]) -> str | None:
    """Return a line on the parameters in `asked` that variables or settings files gave; None if none did.

    Those that another of higher precedence has replaced do not count.
    """
    given: dict[str, list[str]] = {"ENVIRONMENT": [], "DEFAULT_MAP": []}
    for param in ctx.command.params:
        source = getattr(ctx.get_parameter_source(str(param.name)), "name", "")
        if source in given and isinstance(param, click.Option) and asked.get(str(param.name)) not in (None, False):
            given[source].append(str(param.envvar) if source == "ENVIRONMENT" else flag_name(param).replace("_", "-"))
    variables, keys = (", ".join(names) for names in given.values())
    parts = [variables, f"{keys} of {' and '.join(map(str, ctx.meta[_READ]))}" if keys else ""]
    return f"settings: {'; '.join(filter(None, parts))}" if any(parts) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {' '.join(str(error).split())}") from None


def _fill(
    into: dict[str, Any], command: click.Command, table: Mapping[str, Any], path: Path, where: str, *, strict: bool
) -> None:
    """Assign a table's values to the names of the command's parameters."""
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {where} is a command: write its settings below [{where}]")
    for key, value in table.items():
        if isinstance(command, click.Group) and isinstance(value, dict):
            inner = command.get_command(click.Context(command), key)
            if inner is None:
                raise UsageError(f"{path}: [{where}] has no command {key}")
            _fill(into.setdefault(key, {}), inner, value, path, f"{where}.{key}", strict=True)
            continue
        param = _matching(command, key)
        if param is None:
            if strict:
                raise UsageError(f"{path}: [{where}] has no option {key}{_close(key, _names(command))}")
            continue
        _check(command, param, key, value, path)
        for name in {name for names in EXCLUSIVE if param.name in names for name in names}:
            into.pop(name, None)  # from a file of lower precedence, or for all commands
        into[str(param.name)] = value
    if not strict and isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            if inner is not None:
                _fill(into.setdefault(name, {}), inner, table, path, f"{where}.{name}", strict=False)


def _check(command: click.Command, param: click.Option, key: str, value: Any, path: Path) -> None:
    """Raise UsageError unless a value is valid for an option."""
    if param.is_flag != isinstance(value, bool):
        raise UsageError(f"{path}: {key} is {'true or false' if param.is_flag else 'not true or false'}")
    try:
        param.type_cast_value(click.Context(command), value)
    except click.ClickException as error:
        raise UsageError(f"{path}: {key}: {error.message}") from None
    except (TypeError, ValueError):
        raise UsageError(f"{path}: {key} cannot be {value!r}") from None


def _matching(command: click.Command | None, key: str) -> click.Option | None:
    """Return the option that a key names, in the spelling of its flag or its variable."""
    wanted = key.replace("_", "-").lower()
    for param in command.params if command is not None else ():
        flags = {flag.lstrip("-") for flag in (*param.opts, *param.secondary_opts) if flag.startswith("--")}
        if isinstance(param, click.Option) and param.name not in NEVER and wanted in flags:
            return param
    if isinstance(command, click.Group):
        context = click.Context(command)
        inner = (command.get_command(context, name) for name in command.list_commands(context))
        return next((found for one in inner if (found := _matching(one, key)) is not None), None)
    return None


def _all_commands(group: click.Group, *, first: click.Command | None) -> Iterator[click.Command]:
    """Yield all commands, starting with the one that is run: the others are imported only if needed."""
    if first is not None:
        yield first
    context = click.Context(group)
    for name in group.list_commands(context):
        with contextlib.suppress(ImportError):
            found = group.get_command(context, name)
            if found is not None:
                yield found


def _names(command: click.Command | None) -> list[str]:
    flags = [flag for param in (command.params if command is not None else ()) for flag in param.opts]
    return [flag.lstrip("-") for flag in flags if flag.startswith("--")]


def _close(key: str, names: list[str]) -> str:
    found = difflib.get_close_matches(key.replace("_", "-"), names, n=1)
    return f" (did you mean {found[0]}?)" if found else ""
