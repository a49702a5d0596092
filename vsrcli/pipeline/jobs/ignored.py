"""Find requested options that have no effect on this net, source and output, so that each is reported."""

from vsrcli.engine.options import EngineOptions
from vsrcli.errors import Remark
from vsrcli.media.info import VideoInfo
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of

_RATE_IGNORED = "the frame rate changes nothing: it is for image sequences, a video keeps its own times"
_DEFAULTS = {one.name: one.default for one in options_of(Options)}


def ignored(options: Options, info: VideoInfo, net: RecurrentNet, name: str, *, images: bool) -> list[str]:
    """Return a line for each reason for which options change nothing. `name` is the model's; `images`: it makes such.

    Those equal to their defaults are not told from those that were not asked for.
    """
    asked = {option for option, default in _DEFAULTS.items() if getattr(options, option) != default}
    lines: list[str | None] = [*ignored_by_net(options, net, name)]
    if images and len(info.images) == 1:
        lines.append(_line(asked, ("start", "end", "rate", "fps", "slow"), "one image has no times"))
    elif images:
        lines.append(_line(asked, ("slow",), "images have no times"))
    if info.images:
        lines.append(_line(asked, ("deinterlace",), "images are taken as progressive"))
        lines.append(_line(asked, ("detelecine",), "images are no video"))
    else:
        lines.append(_RATE_IGNORED if "rate" in asked else None)
        if info.cadence == 1:
            why = f"pulldown has 29.97 frames a second or 30, and {info.path} has {round(float(info.rate), 3):g}"
            lines.append(_line(asked, ("detelecine",), why))
    if options.audio == "none":
        asked.discard("audio")  # images have none, and so has a silent film
    if images:
        names = ("codec", "crf", "preset", "tune", "encoder_opt", "pix_fmt", "audio")
        lines.append(_line(asked, names, "the output is images"))
    elif not any(stream.kind == "audio" and not stream.empty for stream in info.streams):
        lines.append(_line(asked, ("audio",), "the source has no sound"))
    return [line for line in lines if line is not None]


def ignored_by_net(options: EngineOptions, net: RecurrentNet, name: str) -> list[str]:
    """Return a line for each reason for which options of the engine change nothing with this net.

    They are the same for all files of a batch, so they are told once.
    """
    asked = {one for one in ("window", "lookahead", "horizon") if getattr(options, one) != _DEFAULTS[one]}
    lines: list[str | None] = []
    if not net.bidirectional:
        lines.append(_line(asked, ("window", "lookahead", "horizon"), f"{name} runs frame by frame"))
        if options.propagation == "exact":
            lines.append(f"exact propagation changes nothing: {name} sees no future, and is exact as it is")
    elif options.propagation == "clip":
        lines.append(_line(asked, ("window", "lookahead"), "whole scenes are taken"))
    return [Remark(line) for line in lines if line is not None]


def _line(asked: set[str], names: tuple[str, ...], why: str) -> str | None:
    found = list(dict.fromkeys(_NOUNS.get(name, name.replace("_", " ")) for name in names if name in asked))
    if not found:
        return None
    listed = " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
    return f"the {listed} {'changes' if len(found) == 1 else 'change'} nothing: {why}"


_NOUNS = {
    "deinterlace": "deinterlacing",
    "detelecine": "inverse telecine",
    "pix_fmt": "pixel format",
    "rate": "frame rate",
    "fps": "frame rate",
    "slow": "slow motion",
    "encoder_opt": "list of encoder options",
    "audio": "sound's codec",
}
