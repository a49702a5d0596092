"""The one exception family. Each kind carries the exit code that the command line ends with."""

from pathlib import Path


class VsrError(Exception):
    """A failure with a one-line message that says what to do. Exit code 1."""

    exit_code = 1


class UsageError(VsrError):
    """The call itself is wrong: options that contradict each other or do not fit the input. Exit code 2."""

    exit_code = 2


class OutputExistsError(UsageError):
    """The output, `path`, is there already and may not be overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists: add -y to overwrite it, or give another -o")
        self.path = path


class InputError(VsrError):
    """The source cannot be read as video: missing, empty, no video stream, damaged."""


class OutputError(VsrError):
    """The result cannot be written: no permission, disk full, container cannot hold it."""


class WeightsError(VsrError):
    """Weights are missing, damaged, or not of a known architecture."""


class OutOfMemoryError(VsrError):
    """Even the smallest tile does not fit in memory."""


class SomeFailedError(VsrError):
    """Some of several inputs failed; the others are done. Exit code 3."""

    exit_code = 3


class InterruptedJobError(VsrError):
    """Stopped on request; the same command goes on where it stopped. Exit code 130."""

    exit_code = 130
