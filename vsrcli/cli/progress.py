"""Show a running job on stderr: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from vsrcli import __version__
from vsrcli.cli import HEARERS
from vsrcli.cli.display_options import JsonLines, Log, Way, record_failure
from vsrcli.cli.downloads import Downloads
from vsrcli.cli.figures import forecast_lines, rate_text, run_in_words
from vsrcli.cli.messages import full
from vsrcli.cli.speed import Speed
from vsrcli.errors import Remark
from vsrcli.pipeline.events import Event
from vsrcli.words import clean, clock, counted, rough, size_shown, size_text

PLAIN_INTERVAL = 10.0
"""Seconds between lines where there is no terminal."""


class Display:
    """Display of jobs' events: a bar or lines (`way` auto, plain, none), or JSON lines; a log file gets all."""

    def __init__(self, *, quiet: bool, verbose: bool, way: Way = "auto", log: Path | None = None) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = self._console.is_terminal and way == "auto"
        self._plain = way == "plain" or (way == "auto" and not self._bar)
        self._json = JsonLines() if way == "json" and not quiet else None
        self._log = Log(log)
        self._remarks: Counter[str] = Counter()
        if self._json is not None or log is not None:
            HEARERS.append(partial(record_failure, self._log, self._json))
        self._quiet, self._verbose = quiet, verbose
        self._progress: Progress | None = None
        self._task: Any = None
        self._downloads = Downloads(self._console)
        self._speed = Speed()
        self._plain_at = 0.0

    def line(self, text: str, *, style: str | None = None, always: bool = False) -> None:
        """Print one line, unless quiet."""
        self._log.line(clean(text))
        if self._json is not None:
            self._json.say("line", text=text)
        elif always or not self._quiet:
            self._console.print(clean(text), style=style, markup=False, soft_wrap=True)

    def event(self, event: Event) -> None:
        """Show one event of a job. A remark is shown once, however many jobs there are."""
        if isinstance(event.text, Remark):
            self._remarks[event.text] += 1
            if self._remarks[event.text] > 1:
                return
        if self._json is not None and event.kind in ("note", "warning"):
            text = full(event.text)
            self._log.line(f"warning: {clean(text)}" if event.kind == "warning" else clean(text))
            self._json.say(event.kind, text=text)
        elif event.kind == "note":
            self.line(full(event.text))
        elif event.kind == "warning":
            self.line(f"warning: {full(event.text)}", style="yellow")
        elif event.kind == "download":
            self._show_download(event)
        elif event.kind == "start":
            self._speed = Speed(event.total, event.done, event.burst)
            if event.done:
                self.line(f"going on after frame {event.done}, which an earlier run had reached")
            self._update(event.text or "upscaling", event)
        elif event.kind == "frame":
            self._speed.add(event.done)
            self._update(event.text or "upscaling", event)
        elif event.kind == "sweep":
            self._speed.sweep(event.done, event.total or 0, event.until)
            self._update("sweeping", event)
        elif event.kind == "assemble":
            self._update("assembling", Event("assemble", done=event.total or 0, total=event.total))

    def count(self, stage: str, total: int | None) -> Callable[[int], None]:
        """Start a job that only counts frames; return a function that shows the number of finished frames."""
        self.event(Event("start", stage, total=total))
        return lambda done: self.event(Event("frame", stage, done=done, total=total))

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Show the progress bar of one job in this context."""
        if self._json is not None:
            self._json.say("job", name=name)
        if self._quiet or not self._bar:
            yield
            return
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.fields[shown_total]}"),
            TextColumn("{task.percentage:3.0f} %"),
        )
        self._progress = Progress(*columns, _LiveSpeed(self), console=self._console, transient=True)
        self._task = self._progress.add_task("preparing", total=None, shown_total="?")
        try:
            with self._progress:
                yield
        finally:
            self._progress = None

    @property
    def speed(self) -> Speed:
        """The speed of the job that runs now."""
        return self._speed

    def plan(self, report: dict[str, Any], *, force: bool = False) -> None:
        """Print the plan of a job, if it is requested."""
        self._log_plan(report)
        if not (force or self._verbose):
            return
        if self._json is not None:
            self._json.say("plan", **report)
            return
        source = report["source"]
        encode = {name: value for name, value in report["encode"].items() if value is not None and name != "size"}
        if "bitrate" in encode:
            encode["bitrate"] = rate_text(encode["bitrate"])
        length = counted(source["frames"], "frame") if source["frames"] else "? frames"
        threads = f", {counted(report['threads'], 'thread')}" if report["threads"] else ""
        lines = {
            "input": f"{report['input']}: {_source_size(source)}, {length}, {source['rate']:.3f} fps, "
            f"{source['codec']} {source['pix_fmt']}",
            "output": f"{report['output']}: {size_shown(report['size'], report['shown'])}, "
            + ", ".join(f"{name} {value}" for name, value in encode.items()),
            "model": f"{report['model']} ({report['weights']['source']}, {report['weights']['sha256'][:12]})",
            **({"picked": report["picked"]} if report["picked"] else {}),
            "run": f"{report['device']}{threads}, {report['precision']}, {run_in_words(report)}",
            "memory": f"about {report['memory_bytes'] / 2**30:.2f} GiB",
        }
        if report["disk_bytes_per_frame"]:
            lines["disk"] = f"about {report['disk_bytes_per_frame'] / 2**20:.2f} MiB a frame, a scene at a time"
        if report["forecast"]:
            lines |= forecast_lines(report["forecast"])
        for name, text in lines.items():
            self._console.print(f"{name:>8}  {clean(text)}", markup=False, soft_wrap=True)
        for text in report["notes"]:
            self._console.print(f"    note  {clean(text)}", markup=False, soft_wrap=True)
        for text in report["warnings"] if force else ():  # a job that runs has shown them as events
            self._console.print(f" warning  {clean(full(text))}", markup=False, soft_wrap=True)

    def result(self, report: dict[str, Any]) -> None:
        """Print one line about a finished job."""
        speed = f", {report['fps']:.2f} fps" if report["frames_made"] else ""
        frames, size = counted(report["frames"], "frame"), size_shown(report["size"], report["shown"])
        told = report["codec"] in (None, report["source_codec"]) or str(report["output"]).endswith(
            f".{report['codec']}"
        )
        codec = "" if told else f" as {report['codec']}"
        text = f"{report['output']}: {frames} of {size}{codec} in {clock(report['seconds'])}{speed}, {report['model']}"
        if self._json is not None:
            self._log.line(clean(text))
            self._json.say("result", **report)
            return
        self.line(text, style="green")
        if self._verbose and report["frames_repeated"]:
            frames = counted(report["frames_repeated"], "frame")
            self.line(f"{frames} of them repeated the one before, bit for bit, and were not run")
        if self._verbose and report["stages"]:
            shares = ", ".join(f"{stage} {share:.0%}" for stage, share in report["stages"].items())
            self.line(f"busy: {shares} of the time; {report['bottleneck']} was the bottleneck")

    def summary(self, reports: list[dict[str, Any]]) -> None:
        """Print the end of a batch."""
        count = {s: sum(r["status"] == s for r in reports) for s in ("done", "planned", "skipped", "failed")}
        for remark, number in self._remarks.items():
            if number > 1:
                self.line(f"{number} files: {remark}")
        self.line(", ".join(f"{n} {status}" for status, n in count.items() if n) or "nothing to do", style="bold")
        forecasts = [report["forecast"] for report in reports if report.get("forecast")]
        if forecasts and all(one["seconds"] is not None for one in forecasts):
            seconds, size = (sum(one[name] for one in forecasts) for name in ("seconds", "bytes"))
            self.line(f"in all about {rough(seconds)} and {size_text(size)}", style="bold")

    def failed(self, source: str, error: str) -> None:
        """Report one failed file of a batch and the reason: once, and even if quiet."""
        if self._quiet and not error.startswith(source):
            error = f"{source}: {error}"
        if self._json is not None:
            self._log.line(f"failed: {clean(error)}")
            self._json.say("result", status="failed", input=source, error=error)
            return
        self.line(f"{'' if self._quiet else '  '}failed: {error}", style="red", always=True)

    def _update(self, stage: str, event: Event) -> None:
        ends = event.kind == "frame" and event.done == event.total
        if event.kind in ("frame", "sweep"):
            self._log.frame(lambda: self._in_words(stage, event))
        if self._json is not None:
            last = event.kind != "frame" or ends
            about = {"stage": stage, "done": event.done, "total": event.total}
            speed = {"fps": self._speed.fps, "seconds_left": self._speed.seconds_left}
            self._json.frame(last=last, **about, **{n: v and round(v, 3) for n, v in speed.items()})
        elif self._progress is not None:
            total = max(event.total, event.done) if event.total else None
            self._progress.update(
                self._task, description=stage, completed=event.done, total=total, shown_total=total or "?"
            )
        elif not self._quiet and self._plain and (ends or time.monotonic() - self._plain_at > PLAIN_INTERVAL):
            self._plain_at = time.monotonic()
            self._console.print(self._in_words(stage, event), markup=False, soft_wrap=True)

    def _show_download(self, event: Event) -> None:
        if self._json is not None:
            self._json.frame(last=event.done == event.total, stage="downloading", done=event.done, total=event.total)
        elif self._bar and not self._quiet:
            self._downloads.show(event.done, event.total)

    def _in_words(self, stage: str, event: Event) -> str:
        fps, left = self._speed.fps, self._speed.left
        parts = [f"{stage}: {'' if event.kind == 'sweep' else 'frame '}{event.done} of {event.total or '?'}"]
        parts += [f"{fps:.2f} fps"] if fps else []
        return ", ".join(parts + ([f"{left} left"] if left else []))

    def _log_plan(self, report: dict[str, Any]) -> None:
        source = report["source"]
        self._log.line(
            clean(
                f"{report['input']} ({_source_size(source)}) to {report['output']} "
                f"({size_shown(report['size'], report['shown'])}), {report['model']}, {report['device']}, "
                f"{report['precision']}, vsr {__version__}"
            )
        )


def _source_size(source: dict[str, Any]) -> str:
    return size_shown((source["width"], source["height"]), source["shown"])


class _LiveSpeed(ProgressColumn):
    """Column with the speed of the job that runs now."""

    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display

    def render(self, task: Task) -> Text:
        """Return text such as "12.34 fps  0:42 left"."""
        speed = self._display.speed
        parts = [f"{speed.fps:.2f} fps" if speed.fps else "", f"{speed.left} left" if speed.left else ""]
        return Text("  ".join(parts).strip())
