"""Run `vsr` as `python -m vsrcli`."""

from vsrcli.cli import main

main()
