"""`vsr web`: a page on this machine that upscales the videos of one folder."""

import importlib.util
import webbrowser
from pathlib import Path

import click

from vsrcli.errors import InputError, UsageError
from vsrcli.words import counted

NEEDED = ("starlette", "uvicorn")


@click.command("web", context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--open/--no-open", "open_page", default=True, help="Show the page in the browser.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(folder: Path, port: int, open_page: bool, debug: bool) -> None:
    """Upscale in the browser: a page on this machine for the videos of FOLDER (the one you are in by default).

    \b
    vsr web ~/Videos

    Drop files on the page, choose them in the folder, or take all of a folder; see one frame before and after by each
    model, with the time and the size of the whole; then start, pause, continue, stop and download. Dropped files go to
    FOLDER/uploads, results beside their sources or into a folder that you name. Jobs are those of `vsr upscale`: what
    is stopped here goes on there, and the other way round, with the same options.

    The page listens on 127.0.0.1 alone, and only its own address, which holds a token that changes each time, opens
    it. It sees nothing outside FOLDER. Ctrl-C ends it; what is made of the job that runs is kept.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        what = " ".join(missing)
        advice = f"run `pipx inject vsrcli {what}`, or `pip install {what}` where pip installed vsr"
        raise UsageError(f"vsr web needs {' and '.join(missing)}: {advice}")
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist")
    click.echo("starting ...", err=True)  # what follows takes seconds
    from vsrcli.cli.upscale import stop_on_signals
    from vsrcli.web.server import Site

    stop_on_signals()
    site = Site(folder, port)
    click.echo(f"{site.address}\nopen this address in a browser on this machine; Ctrl-C ends", err=True)
    if open_page:
        webbrowser.open(site.address)
    unfinished = site.run()
    if unfinished:
        click.echo(
            f"{counted(len(unfinished), 'job')} unfinished: what is made is kept, and goes on when started again"
        )
