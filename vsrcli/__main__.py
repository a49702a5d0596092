"""`python -m vsrcli` is `vsr`."""

from vsrcli.cli import main

main()
