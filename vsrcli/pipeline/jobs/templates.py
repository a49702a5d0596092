"""Names of results that are made of fields: "{folder}/{name}_{model}_{height}p{ext}"."""

import re
from pathlib import Path
from typing import TypeGuard

from vsrcli.errors import UsageError
from vsrcli.media.info import VideoInfo
from vsrcli.pipeline.options import Options, line_of_row, output_size

FIELDS = ("folder", "name", "ext", "model", "width", "height", "scale")
"""Folder, name and ending of the source, the model's name, the result's size, and the factor of it."""
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def is_template(output: Path | None) -> TypeGuard[Path]:
    """Return whether an output's name has fields to fill."""
    return output is not None and bool(_FIELD.search(str(output)))


def filled(output: Path, info: VideoInfo, options: Options, model: str, scale: int) -> Path:
    """Return a name with its fields filled for one source; other names stay.

    Only `folder` can lead to another folder: what is no part of a name elsewhere, like a slash or "..", becomes "_".
    At the beginning it is the source's folder; further on it leads only downwards, without the folder's root and "..".
    Raises UsageError for an unknown field, and a brace that is neither closed nor doubled.
    """
    if not is_template(output):
        return output
    width, height = output_size(options, info, scale)
    width, height = (height, round(width * line_of_row(options, info))) if info.turned else (width, height)
    path = info.path
    one = not info.images or path in info.images
    values = {
        "name": path.stem if one else path.name if path.is_dir() else path.parent.name,
        "ext": path.suffix if one else "",
        "model": model,
        "width": width,
        "height": height,
        "scale": f"{options.scale or scale:g}",
    }
    parts = [_FIELD.sub(lambda found: _value(found, values, output), part) for part in output.parts]
    first, *rest = map(_harmless, output.parts, parts)
    below = _downwards(path.parent)
    if first.startswith(_FOLDER):
        first = first.replace(_FOLDER, str(path.parent), 1)
    return Path(*(part.replace(_FOLDER, below) for part in (first, *rest)))


def mirrored(template: Path, folder: Path) -> Path:
    """Return a template with `folder` where it says so, except at its beginning, which means the source's own folder.

    `folder` is that of a source within the folder that the caller named.
    """
    below = _downwards(folder).replace("{", "{{").replace("}", "}}")
    text = str(template)
    return Path(_FIELD.sub(lambda found: below if found[0] == "{folder}" and found.start() else found[0], text))


def _downwards(folder: Path) -> str:
    """Return a folder's path without what leads elsewhere than down: its root, and ".."."""
    return "/".join(part for part in folder.parts if part not in (folder.anchor, ".."))


_FOLDER = "\0folder\0"  # stands for the source's folder until all else is harmless


def _value(found: re.Match[str], values: dict[str, object], output: Path) -> str:
    text, name = found[0], found[1]
    if text in ("{{", "}}"):
        return text[0]
    if name == "folder":
        return _FOLDER
    if name not in values:
        named = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise UsageError(f"no such field in {output}: {text} (there are {named}; a brace itself is written twice)")
    return _UNSAFE.sub("_", str(values[name]))


def _harmless(template: str, part: str) -> str:
    """Return a part of a path that leads to no other folder unless its template did so itself."""
    if part != template and part and not part.strip(". "):
        return "_" * len(part)
    return part
