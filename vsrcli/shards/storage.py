"""Sources and outputs behind URLs, by fsspec: fetched to a local cache; uploaded under a temporary name, then renamed.

fsspec is imported only for a URL.
"""

import contextlib
import hashlib
import importlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from vsrcli.errors import InputError, OutputError, OutputExistsError, Reason, UsageError
from vsrcli.files import PART, replacing, write_durably

Progress = Callable[[int, int], None]
"""Called with the bytes done and the total (0: unknown)."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PIECE = 1 << 20
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_DAYS_30 = 30 * 86400


def is_url(text: str) -> bool:
    """Return whether a text is a URL; C:\\film.mkv is not."""
    return bool(_URL.match(text))


def name_of(url: str) -> str:
    """Return the file's name in a URL, "" for a folder."""
    return urlsplit(url).path.rpartition("/")[2]


def cache_folder(url: str) -> Path:
    """Return the folder of a URL's local copies: below VSR_CACHE, or in the user's cache."""
    place = os.environ.get("VSR_CACHE")
    root = Path(place) if place else user_cache_path("vsr")
    return root / "remote" / hashlib.sha256(url.encode()).hexdigest()[:24]


def fetch(url: str, *, progress: Progress = lambda done, total: None) -> Path:
    """Return the local copy of a file. It is downloaded unless a complete copy of the unchanged file is there.

    The copy has the same name and time whenever it is downloaded, so that a job can resume with it. Raises UsageError
    if fsspec or its package for such URLs is not installed, InputError if the file cannot be read.
    """
    fs, path = _open(url)
    try:
        about = fs.info(path)
        if about.get("type") == "directory":
            raise UsageError(f"{url} is a folder: give its files one by one")
    except UsageError:
        raise
    except Exception as error:
        raise InputError(f"cannot read {url}: {_reason(error)}") from None
    folder = cache_folder(url)
    copy, record_path = folder / name_of(url), folder / "source.json"
    size = int(about.get("size") or 0)
    known = [about.get(key) for key in ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")]
    token = f"{size} {[str(value) for value in known if value is not None]}"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(record_path.read_bytes())
        if record["token"] == token and record["sha256"] == _sha256(copy):
            return copy
    digest = hashlib.sha256()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(copy) as part:
            done = 0
            with part.open("xb") as file:
                for data in _pieces(fs, path, url):
                    file.write(data)
                    digest.update(data)
                    done += len(data)
                    progress(done, size)
            if size and done != size:
                raise InputError(f"{url} ended after {done} of {size} bytes")
            stamp = int(hashlib.sha256(token.encode()).hexdigest()[:8], 16) % _DAYS_30
            os.utime(part, (stamp, stamp))
        md5 = _MD5.fullmatch(str(about.get("ETag") or ""))
        if md5 and _digest(copy, "md5") != md5[1] and not about.get("ServerSideEncryption"):
            copy.unlink()
            raise InputError(f"{url} did not arrive as its checksum says: try again")
        write_durably(record_path, json.dumps({"url": url, "token": token, "sha256": digest.hexdigest()}).encode())
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from None
    return copy


def refuse_existing(url: str) -> None:
    """Raise OutputExistsError if a file exists at a URL; UsageError and OutputError as `upload` does."""
    fs, path = _open(url)
    try:
        there = fs.exists(path)
    except Exception as error:
        raise OutputError(f"cannot write {url}: {_reason(error)}") from None
    if there:
        raise OutputExistsError(url)  # type: ignore[arg-type]  # it is only shown


def upload(file: Path, url: str, *, overwrite: bool) -> None:
    """Upload a file to a URL: first under a temporary name beside it, which is renamed once it is complete.

    Raises OutputError if it cannot be written, and OutputExistsError if the name is taken, unless `overwrite`.
    """
    fs, path = _open(url)
    part = path + PART
    try:
        parent = path.rpartition("/")[0]
        with contextlib.suppress(Exception):  # object stores have no folders
            fs.makedirs(parent, exist_ok=True)
        fs.put_file(os.fspath(file), part)
        fs.invalidate_cache()
        if int(fs.info(part)["size"]) != file.stat().st_size:
            raise OSError("it was cut off on the way")
        if not overwrite:
            refuse_existing(url)
        fs.mv(part, path)
    except OutputExistsError:
        _discard(fs, part)
        raise
    except BaseException as error:
        _discard(fs, part)
        if not isinstance(error, Exception):
            raise
        raise OutputError(f"cannot write {url}: {_reason(error)}") from None


def _discard(fs: Any, path: str) -> None:
    with contextlib.suppress(Exception):
        fs.rm_file(path)


def _open(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path there."""
    try:
        core = importlib.import_module("fsspec.core")
    except ImportError:
        raise UsageError("fsspec is not installed here", Reason.NEEDS_FSSPEC) from None
    try:
        fs, path = core.url_to_fs(url)
    except ImportError as error:
        raise UsageError(f"cannot use {url}: {_reason(error)}", Reason.NEEDS_FSSPEC) from None
    except ValueError as error:
        raise UsageError(f"cannot use {url}: {_reason(error)}") from None
    return fs, str(path)


def _pieces(fs: Any, path: str, url: str) -> Any:
    try:
        with fs.open(path, "rb") as remote:
            while data := remote.read(_PIECE):
                yield data
    except Exception as error:
        raise InputError(f"cannot read {url}: {_reason(error)}") from None


def _sha256(path: Path) -> str:
    return _digest(path, "sha256")


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _reason(error: BaseException) -> str:
    """Return the reason of a store's error in one line."""
    lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
