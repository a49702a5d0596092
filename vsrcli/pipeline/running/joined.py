"""Sources that are joined before they are upscaled: the joined file lies with the job's work until it is done."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vsrcli.errors import OutputExistsError, UsageError, unwritable
from vsrcli.files import make_folder
from vsrcli.media.write.parts import check_parts, join_parts, joined_name
from vsrcli.pipeline.jobs.fingerprint import fingerprint
from vsrcli.pipeline.jobs.places import ENDING, job_folder
from vsrcli.pipeline.jobs.templates import is_template
from vsrcli.pipeline.options import Options


@contextlib.contextmanager
def joined(
    sources: Sequence[Path], output: Path, options: Options, say: Callable[[str], None], *, dry_run: bool = False
) -> Iterator[Path]:
    """Yield one file with all sources in order; it is deleted once the job is done, or if it did not begin.

    Its name tells its sources, so a job that is continued finds it again. A dry run has it, if it is not there already,
    in the folder for work, which is large enough for a film, or else among the system's temporary files. Raises
    UsageError if the sources differ.
    """
    if len(sources) < 2:
        raise UsageError("one input alone is not joined: give its parts in their order")
    if is_template(output):
        raise UsageError("a joined result has no source's name to fill in: give its name whole")
    infos = check_parts(sources)
    work = job_folder(output, options.work_dir)
    if output.is_file() and not options.overwrite and not work.exists():
        raise OutputExistsError(output)
    marks = json.dumps([fingerprint(info) for info in infos])
    digest = hashlib.sha256(marks.encode()).hexdigest()[:12]
    path = work.with_name(f"{work.name.removesuffix(ENDING)[:150]}.{digest}.joined{joined_name(infos)[1]}")
    place = options.work_dir if options.work_dir and Path(options.work_dir).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="vsr-", dir=place, ignore_cleanup_errors=True) as folder:
        if dry_run and not path.is_file():
            path = Path(folder) / path.name
        try:
            make_folder(path.parent)
            if not path.is_file():
                say(f"joining {len(infos)} parts to {path}, until the result is done")
                for line in join_parts(infos, path, Path(folder)):
                    say(line)
                status = infos[0].path.stat()
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # by which the result is dated
        except OSError as error:
            raise unwritable(path, error) from None
        try:
            yield path
        finally:
            if not dry_run and not work.exists():  # done, or not begun
                with contextlib.suppress(OSError):
                    path.unlink()
