"""The exception hierarchy. Each class has the exit code of the command line.

Messages are for users of the command line and of the library alike, so they name no flags. Where the solution depends
on how vsr was called, an error or a note carries its `reason`, and the command line adds its own advice.
"""

import errno
from enum import Enum
from pathlib import Path


class Reason(Enum):
    """Reasons of errors and notes whose solution has its own name on the command line; with their data."""

    OUTPUT_EXISTS = "the output is there already"
    FOLDER_NOT_EMPTY = "the folder for images holds files"
    NO_ROOM = "the disk is full on which a job works"
    OUTPUT_IS_INPUT = "the output is the input"
    NOT_WRITABLE = "nothing can be written where the output is to be"
    WORK_FOLDER_TAKEN = "the job's folder cannot be used"
    ONE_IMAGE = "the output is one image, the source is several; output: a pattern"
    NO_VIDEOS = "the folder itself holds no videos"
    ONLY_IMAGES = "the folders hold images alone"
    JOB_DAMAGED = "the unfinished job cannot be used"
    JOB_DIFFERS = "the unfinished job has other settings"
    IN_SHARDS = "the job was begun in shards"
    NO_SHARD = "which shard is to be run is not said"
    NEEDS_RAY = "Ray is not installed"
    NEEDS_FSSPEC = "fsspec is not installed"
    SHARDS_LACKING = "shards are not finished"
    EXACT_LOOKAHEAD = "a lookahead is asked for where the whole scene is seen"
    FORWARD_ONLY = "windows are asked for of a net that runs forward only"
    CANNOT_STREAM = "a stream is asked for of a net that sees the future"
    NO_SUCH_DEVICE = "the machine lacks the device"
    OUT_OF_MEMORY = "the smallest tile does not fit"
    CODEC_NOT_HELD = "the container cannot hold the codec; codecs that it can, output: a name that can"
    IN_ITS_TERMS = "an encoder that is not to be had has options in its own terms; encoder: what else takes its place"
    NO_CRF = "the codec has no crf"
    PRESET_DECIDES = "the codec's presets decide on its size; presets: their names"
    NO_PRESET = "the codec has no presets"
    LOST_BY_CODEC = "another codec keeps what is lost; codec"
    LOST_BY_PRESET = "another preset of the codec keeps it; preset"
    LOST_BY_CONTAINER = "another container keeps what is lost; output: a name"
    FEWER_COLOURS = "another pixel format keeps the colours whole; pix_fmt"
    FEWER_BITS = "another codec keeps more bits; codec, kept: bits"
    FEWER_BITS_HERE = "another codec in another container keeps more bits; output: a name, codec, kept: bits"
    SOUND_NOT_HELD = "the container cannot hold the sound as it is; output: a name that can, audio: a codec that it can"
    SOUND_IN_PIPE = "sound is to be converted where a pipe is read or written"
    SOUND_OF_PIPE = "sound of a pipe has a codec that no container for pipes holds"
    NEEDS_OUTPUT = "the output has no name"
    NEEDS_FORMAT = "another format of the pipe can hold it"
    NEEDS_CONTAINER = "another container can hold it; output: a name"
    NO_LR_FRAMES = "the clip has no LR frames"
    WRONG_SCALE = "HR and LR frames differ by another factor"
    TOO_FEW_FRAMES = "the frames that count were not reached"
    NOT_A_PACK = "the file is no pack of clips"
    SHORT_CLIPS = "all clips of the pack are too short; frames: wanted, held: those of the longest"
    NO_COMPRESSED_CLIP = "no clip of the pack can be compressed"
    NO_ANSWERS = "no clip of the pack has a teacher's answer"
    NO_VALIDATION_CLIP = "the packs hold no clip to validate on"
    NO_MULTIPLE = "the frame rate asked for is no multiple of the source's; times: the nearest"
    FILM_OR_FIELDS = "film is to be taken out of fields of which each is to become a frame"
    NEEDS_BOX = "padding is asked for without a box to fit"
    OTHER_SHAPE = "the size asked for has another shape than the source; width, height"
    PROCESS_DIED = "the measuring process died"


_FULL = (errno.ENOSPC, errno.EDQUOT)  # Windows' numbers for it become the first


class VsrError(Exception):
    """A failure with a one-line message. Exit code 1.

    `reason` and `data` let callers give advice in their own terms.
    """

    exit_code = 1

    def __init__(self, message: str, reason: Reason | None = None, **data: object) -> None:
        super().__init__(message)
        self.reason, self.data = reason, data


class UsageError(VsrError):
    """An invalid call: options that contradict each other or do not fit the input. Exit code 2."""

    exit_code = 2


class OutputExistsError(UsageError):
    """The output, `path`, exists and may not be overwritten; a folder for images exists if it is not empty."""

    def __init__(self, path: Path) -> None:
        if Path(path).is_dir():
            super().__init__(f"the folder {path} exists and is not empty", Reason.FOLDER_NOT_EMPTY)
        else:
            super().__init__(f"{path} exists", Reason.OUTPUT_EXISTS)
        self.path = path

    def __reduce__(self) -> tuple[type["OutputExistsError"], tuple[Path]]:
        """Pickle the error by its path."""
        return type(self), (self.path,)


class LargeAlreadyError(UsageError):
    """The source has more lines than the caller wants to be upscaled: there is nothing to do."""


def plain(error: OSError) -> str:
    """Return in one line which file the system refused, and why."""
    if error.filename is None:
        return f"cannot write: {error.strerror or error}"
    return f"cannot use {error.filename}: {error.strerror or error}"


class InputError(VsrError):
    """The source cannot be read as video: it is missing, empty, damaged or has no video stream."""


class OutputError(VsrError):
    """The result cannot be written: no permission, a full disk, or a container that cannot hold it."""


class FullDiskError(OutputError):
    """The disk has no room for the file or folder `place`, or the user's quota has none."""

    def __init__(self, place: object) -> None:
        super().__init__(f"cannot write {place}: the disk is full (make room and run again)")
        self.place = place

    def __reduce__(self) -> tuple[type["FullDiskError"], tuple[object]]:
        """Pickle the error by its place."""
        return type(self), (self.place,)


def unwritable(place: object, error: Exception) -> OutputError:
    """Return the error for a file or folder that the system refuses to write."""
    if getattr(error, "errno", None) in _FULL:
        return FullDiskError(place)
    return OutputError(f"cannot write {place}: {getattr(error, 'strerror', None) or error}")


class WeightsError(VsrError):
    """Weights are missing, damaged, or of an unknown architecture."""


class OutOfMemoryError(VsrError):
    """Even the smallest tile does not fit in memory."""


class SomeFailedError(VsrError):
    """Some of several inputs failed; the others are done. Exit code 3."""

    exit_code = 3


GO_ON = "; to go on, run the same command"
"""The end of the message of a job that was stopped."""


class InterruptedJobError(VsrError):
    """The job was stopped on request; the same command continues it. Exit code 130."""

    exit_code = 130


class Remark(str):
    """A line about a job that is worth knowing and no reason to worry; of several jobs alike it is told once."""

    __slots__ = ()


class Note(str):
    """A line about a job that continues, with a reason and data like an error's."""

    __slots__ = ("data", "reason")

    reason: Reason
    data: dict[str, object]

    def __new__(cls, text: str, reason: Reason, **data: object) -> "Note":
        """Create a note from a text."""
        note = super().__new__(cls, text)
        note.reason, note.data = reason, data
        return note

    def __getnewargs_ex__(self) -> tuple[tuple[str, Reason], dict[str, object]]:
        """Pickle the note with its reason and data."""
        return (str(self), self.reason), self.data
