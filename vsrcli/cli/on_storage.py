"""`vsr upscale s3://...`: read and write URLs through this machine's cache."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vsrcli.cli.messages import full
from vsrcli.errors import InterruptedJobError, OutputExistsError, UsageError, VsrError
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.options import Options


def upscale_behind_urls(
    inputs: Sequence[Path | str],
    output: Path | str | None,
    options: Options,
    display: Any,
    run: Callable[[Path, Path], dict[str, Any]],
    *,
    dry_run: bool,
) -> list[dict[str, Any]]:
    """Download the inputs, `run` each, upload the results, and return a report for each."""
    if output is None:
        raise UsageError("the output is not named, which a URL leaves open: give -o")
    reports: list[dict[str, Any]] = []
    for place in inputs:
        try:
            reports.append(_one(place, _target(place, output, len(inputs)), options, display, run, dry_run=dry_run))
        except (InterruptedJobError, KeyboardInterrupt):
            raise
        except VsrError as error:
            if len(inputs) == 1:
                raise
            skipped = isinstance(error, OutputExistsError)
            display.line(f"{place}: {full(error)}")
            reports.append({"status": "skipped" if skipped else "failed", "input": str(place), "error": full(error)})
    return reports


def _target(place: Path | str, output: Path | str, count: int) -> Path | str:
    """Return the URL of one input's result: the output, or its own name in that folder."""
    from vsrcli.shards.storage import name_of

    name = name_of(place) if isinstance(place, str) else place.name
    if isinstance(output, str):
        return output + name if output.endswith("/") else f"{output}/{name}" if count > 1 else output
    return output / name if count > 1 or output.is_dir() else output


def _one(
    place: Path | str,
    target: Path | str,
    options: Options,
    display: Any,
    run: Callable[[Path, Path], dict[str, Any]],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    from vsrcli.shards import storage

    if isinstance(target, str) and not options.overwrite:
        storage.refuse_existing(target)
    if isinstance(target, Path) and target.is_file() and not options.overwrite:
        raise OutputExistsError(target)  # before it is fetched
    source = place
    if isinstance(source, str):
        display.line(f"fetching {place}")
        source = storage.fetch(
            source, progress=lambda done, total: display.event(Event("download", done=done, total=total))
        )
    if isinstance(target, Path):
        return run(source, target) | {"input": str(place)}
    local = storage.cache_folder(target) / storage.name_of(target)
    local.parent.mkdir(parents=True, exist_ok=True)
    uploading = local.exists() and not options.overwrite  # it was stopped, or failed
    report = {"status": "done", "warnings": []} if uploading else run(source, local)
    if not dry_run:
        display.line(f"uploading {target}")
        storage.upload(local, target, overwrite=options.overwrite)
        local.unlink()
        with contextlib.suppress(OSError):
            local.parent.rmdir()
    return report | {"input": str(place), "output": target}
