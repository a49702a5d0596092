"""Advice that the command line adds to messages of the library: the flags that solve the problem."""

from vsrcli.errors import Note, Reason, VsrError

ADVICE = {
    Reason.OUTPUT_EXISTS: ": add -y to overwrite it, or give another -o",
    Reason.FOLDER_NOT_EMPTY: ": add -y to write the images there too, or give another -o",
    Reason.NO_ROOM: ", or give a folder on another disk by --work-dir",
    Reason.OUTPUT_IS_INPUT: ": give another -o",
    Reason.NOT_WRITABLE: ": give another place by -o",
    Reason.WORK_FOLDER_TAKEN: ", or give another -o",
    Reason.ONE_IMAGE: ": write -o {output}",
    Reason.NO_VIDEOS: ": add --recursive",
    Reason.ONLY_IMAGES: ": without --recursive a folder of images is one video; give photographs by their names",
    Reason.JOB_DAMAGED: ": add --restart to start over",
    Reason.JOB_DIFFERS: ": add --restart to start over, or repeat the settings it began with",
    Reason.IN_SHARDS: ": finish it by `vsr run` and `vsr join`, or add --restart to start over",
    Reason.NO_SHARD: ": add --shard, e.g. --shard 1/{count}",
    Reason.NEEDS_RAY: ", which --ray needs: run `pip install 'vsrcli[ray]'`",
    Reason.NEEDS_FSSPEC: ", which URLs need: run `pip install 'vsrcli[cloud]'`, or give `vsr upscale` paths",
    Reason.SHARDS_LACKING: ": run them by `vsr run PLAN --shard {first}/{count}`",
    Reason.EXACT_LOOKAHEAD: ": leave out --lookahead",
    Reason.FORWARD_ONLY: ": leave out --propagation",
    Reason.CANNOT_STREAM: ": use --propagation window",
    Reason.NO_SUCH_DEVICE: "; use --device cpu",
    Reason.OUT_OF_MEMORY: "; use a smaller --window or another --device",
    Reason.CODEC_NOT_HELD: ": use --codec {codecs}, or -o {output}",
    Reason.IN_ITS_TERMS: ": without --crf, --preset, --tune, --pix-fmt and --encoder-opt, {encoder} takes its place",
    Reason.NO_CRF: ": leave --crf out",
    Reason.PRESET_DECIDES: ": --preset {presets} decides on it",
    Reason.NO_PRESET: ": leave --preset out",
    Reason.LOST_BY_CODEC: " (--codec {codec} keeps it)",
    Reason.LOST_BY_PRESET: " (--preset {preset} keeps it)",
    Reason.LOST_BY_CONTAINER: " (-o {output} keeps it)",
    Reason.FEWER_COLOURS: " (--pix-fmt {pix_fmt} keeps them)",
    Reason.FEWER_BITS: ": --codec {codec} keeps {kept}",
    Reason.FEWER_BITS_HERE: ": -o {output} --codec {codec} keeps {kept}",
    Reason.SOUND_NOT_HELD: ": use -o {output}, or --audio {audio}",
    Reason.NEEDS_CONTAINER: ": use -o {output}",
    Reason.SOUND_IN_PIPE: ": leave out --audio, and let ffmpeg convert it before or after",
    Reason.SOUND_OF_PIPE: ": let ffmpeg convert it before, or give --audio none",
    Reason.NEEDS_OUTPUT: ": give one by -o, or -o - for standard output",
    Reason.NEEDS_FORMAT: ": use --format nut or matroska",
    Reason.NO_LR_FRAMES: ": give --degradation bi or bd to make them",
    Reason.WRONG_SCALE: ": give the right --scale",
    Reason.TOO_FEW_FRAMES: ": raise --frames",
    Reason.NOT_A_PACK: ": make one by `vsr train pack`",
    Reason.SHORT_CLIPS: ": pack with --frames {frames}, or write frames = {held} in a recipe of your own",
    Reason.NO_COMPRESSED_CLIP: " (or pack with --real)",
    Reason.NO_ANSWERS: " (`vsr train teach` adds them)",
    Reason.NO_VALIDATION_CLIP: " (pack with --hold-out)",
    Reason.NO_MULTIPLE: ": use --fps {times}x",
    Reason.FILM_OR_FIELDS: ": give --detelecine or --deinterlace double",
    Reason.NEEDS_BOX: ": --pad goes with --fit WxH",
    Reason.OTHER_SHAPE: " (--fit {width}x{height} --pad keeps them as they are)",
    Reason.PROCESS_DIED: "; try a smaller --res",
}
"""The text after the message for each reason, with the reason's data in braces."""


def full(message: str | VsrError) -> str:
    """Return a message of the library with the command line's advice."""
    if isinstance(message, VsrError | Note) and message.reason is not None:
        return str(message) + ADVICE[message.reason].format(**message.data)
    return str(message)
