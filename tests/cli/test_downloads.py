"""A download's bar is on terminals alone, and is gone when the download ends, however it ends."""

import io
from contextlib import closing

from rich.console import Console

from vsrcli.cli.downloads import Downloads


def test_a_terminal_shows_a_bar_that_disappears_at_the_end() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=100)
    downloads = Downloads(console)
    for done in (250_000, 500_000):
        downloads.show(done, 500_000, "net.one")
    assert "net.one" in shown.getvalue() and "500.0/500.0 kB" in shown.getvalue()
    assert shown.getvalue().endswith("\x1b[2K")  # its line is empty again


def test_an_interrupted_download_leaves_no_bar() -> None:
    shown = io.StringIO()
    downloads = Downloads(Console(file=shown, force_terminal=True, width=100))
    with closing(downloads):
        downloads.show(1, None, "net.one")
    assert shown.getvalue().endswith("\x1b[2K")
    with closing(downloads):
        downloads.show(1, 2, "net.two")
    assert "net.two" in shown.getvalue()


def test_no_bar_is_shown_without_a_terminal() -> None:
    shown = io.StringIO()
    Downloads(Console(file=shown)).show(1, 2)
    assert shown.getvalue() == ""
