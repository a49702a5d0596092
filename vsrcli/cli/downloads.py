"""The progress bar of weights' downloads."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class Downloads:
    """A bar on a terminal for one download after another, from the first bytes to the last."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None

    def show(self, done: int, total: int | None, name: str = "downloading") -> None:
        """Show that `done` bytes of `total` are downloaded."""
        if not self._console.is_terminal:
            return
        if self._bar is None:
            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(TextColumn(name), *columns, console=self._console, transient=True)
            self._bar.add_task(name)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)
        if done == total:
            self.close()

    def close(self) -> None:
        """Remove the bar if there is one: a download may end early or unannounced."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
