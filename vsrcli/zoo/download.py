"""Download a file so that it is either complete and verified, or absent."""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from vsrcli import __version__, log
from vsrcli.errors import WeightsError
from vsrcli.files import into_place
from vsrcli.locks import hold

Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the total, which is None where the server does not declare it."""

STALL_SECONDS = 30.0
ATTEMPTS = 4
PAUSE_SECONDS = 1.0
CHUNK = 1 << 18


class BrokenTransferError(Exception):
    """The transfer stopped early or cannot continue. Received data is kept, and another attempt may succeed."""


def mirrored(url: str) -> str:
    """Return `url` with its host replaced by VSR_WEIGHTS_MIRROR: a host, or a URL whose path comes first."""
    mirror = os.environ.get("VSR_WEIGHTS_MIRROR")
    if not mirror:
        return url
    official = urlsplit(url)
    other = urlsplit(mirror if "://" in mirror else f"{official.scheme}://{mirror}")
    return urlunsplit((other.scheme, other.netloc, other.path.rstrip("/") + official.path, official.query, ""))


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str,
    progress: Progress | None = None,
    stall: float = STALL_SECONDS,
    pause: float = PAUSE_SECONDS,
) -> str:
    """Download `url` to `path` and return its SHA-256. Raises WeightsError on failure.

    The bytes go to `path`.part, which a later call resumes. The file is renamed to `path` once it is verified. If
    another process downloads the same file, this one waits for it.

    Args:
        sha256: first digits of the expected digest.
        progress: called with the bytes done and the total.
        stall: seconds without data after which a transfer counts as broken.
        pause: seconds before the second of four attempts; doubled before each further one.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = hold(path.with_name(path.name + ".lock"), wait=True)
        try:
            if path.is_file() and (digest := digest_of(path)).startswith(sha256):
                return digest  # another process was faster
            digest = complete(url, part, sha256=sha256, progress=progress, stall=stall, pause=pause)
            into_place(part, path)
            return digest
        finally:
            held.release()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror or error}") from error


def complete(url: str, part: Path, *, sha256: str, progress: Progress | None, stall: float, pause: float) -> str:
    """Download to `part` until its SHA-256 is as expected, and return the digest; see `fetch`."""
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            log.note(f"{url} {reason}: attempt {attempt + 1} of {ATTEMPTS}")
            time.sleep(pause * 2 ** (attempt - 1))
        resumed = size(part) > 0
        try:
            transfer(url, part, progress=progress, stall=stall)
            broken = False
        except BrokenTransferError as error:
            broken, reason = True, str(error)
        digest = digest_of(part) if part.is_file() else ""
        if digest.startswith(sha256):
            return digest
        if not broken:
            part.unlink()  # complete but wrong: resuming it cannot help
            reason = f"sent a file whose SHA-256 begins with {digest[:8]}, not {sha256[:8]}"
            if not resumed:
                break
    raise WeightsError(f"{url} {reason}")


def transfer(url: str, part: Path, *, progress: Progress | None, stall: float) -> None:
    """Append to `part` what it still lacks, or start over if the server cannot resume: one attempt.

    Raises BrokenTransferError if the transfer stops early, WeightsError if another attempt is pointless.
    """
    offset = size(part)
    with closing(connect(url, offset, part, stall)) as response:
        length = response.headers.get("Content-Length")
        if response.status == 206:
            span = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if not span or int(span[1]) != offset:
                part.unlink()
                raise BrokenTransferError("resumed at another place than asked")
            total = None if span[2] == "*" else int(span[2])
        else:
            offset = 0  # the server ignores ranges: this is the whole file
            total = int(length) if length and length.isdigit() else None
        with part.open("ab" if offset else "wb") as file:
            for chunk in chunks(response):
                file.write(chunk)
                offset += len(chunk)
                if progress:
                    progress(offset, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and offset < total:
        raise BrokenTransferError(f"stopped after {offset} of {total} bytes")


def connect(url: str, offset: int, part: Path, stall: float) -> http.client.HTTPResponse:
    """Request the file from byte `offset` on. Raises as `transfer` does."""
    headers = {"User-Agent": f"vsr/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=stall
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.unlink(missing_ok=True)
        if error.code in (408, 416, 429) or error.code >= 500:
            raise BrokenTransferError(f"answers {error.code} {error.reason}") from error
        raise WeightsError(f"{url} answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise BrokenTransferError("does not answer") from error
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise WeightsError(f"{url} cannot be reached: {reason}") from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise BrokenTransferError("does not answer") from error
    except ValueError as error:
        raise WeightsError(f"{url} is no URL: {error}") from error
    return response


def chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it arrives. Raises BrokenTransferError if it stalls or the connection breaks."""
    while True:
        try:
            chunk = response.read1(CHUNK)
        except TimeoutError as error:
            raise BrokenTransferError("sends nothing any more") from error
        except (OSError, http.client.HTTPException) as error:
            raise BrokenTransferError("broke the connection") from error
        if not chunk:
            return
        yield chunk


def size(path: Path) -> int:
    """Return the file's size in bytes, 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0


def digest_of(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
