"""The bar that downloads of weights show."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class Downloads:
    """A bar on a terminal for one download after another: it appears with the first bytes and goes with the last."""

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
        """Take the bar away, if there is one: a download may end early, or without saying so."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
