"""Choose codec, pixel format and quality of the output from the source and the output's name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import av

from vsrcli.errors import Note, Reason, Remark, UsageError
from vsrcli.media.containers import CONTAINERS, Container, container_of
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.write.encode_settings import HDR_NAMES, EncodeSettings
from vsrcli.media.write.encoders import (
    ENCODERS,
    INNER,
    SYNONYMS,
    TUNES,
    EncoderFailsError,
    holds,
    is_foreign,
    quality,
    read_options,
    reorders_safely,
    resolve,
    software_for,
)
from vsrcli.media.write.profiles import PROFILES, profile_like, read_profile, usual_profile
from vsrcli.media.write.trial import try_encoder
from vsrcli.media.write.y4m import FULL_RANGE, Y4M_FORMATS

# (crf, preset) at which the loss is hard to see at normal viewing distance.
DEFAULTS: dict[str, tuple[float | None, str | None]] = {
    "h264": (16, "medium"),
    "hevc": (18, "medium"),
    "av1": (24, "6"),
    "vp9": (20, "3"),
    "prores": (None, "hq"),
    "dnxhr": (None, "hq"),
    "ffv1": (None, None),
    "gif": (None, None),
    "apng": (None, None),
    "rawvideo": (None, None),
}
_UNTAGGED = frozenset({"rawvideo", "ffv1"})
"""Codecs whose streams do not tell their colours."""
_GUESSED = {1: (1,), 5: (5, 6)}
"""Primaries (H.273) that players take for a matrix."""
_SDR = (1, 4, 5, 6)  # transfer curves that players show alike
_LOSSY = 1 << 1  # FFmpeg's AV_CODEC_PROP_LOSSY
LARGEST_CRF = {"h264": 51, "hevc": 51, "av1": 63, "vp9": 63}
_X26X = tuple("ultrafast superfast veryfast faster fast medium slow slower veryslow placebo".split())  # noqa: SIM905
PRESETS = {
    "h264": _X26X,
    "hevc": _X26X,
    "av1": tuple(map(str, range(14))),
    "vp9": tuple(map(str, range(9))),
    **{codec: tuple(profiles) for codec, profiles in PROFILES.items()},
}
DEEPEST = {"av1": 10, "prores": 10, "dnxhr": 10, "hevc": 12, "ffv1": 16, "rawvideo": 16}  # bits
KEPT = ("prores", "dnxhr", "ffv1")
"""Codecs for editing and archives: such a source gets the same codec again if the container can hold it."""
LARGEST_H264 = 4096 * 2304  # level 5.2, the limit of common hardware decoders


def choose_settings(
    info: VideoInfo,
    output: Path,
    *,
    width: int,
    height: int,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    tune: str | None = None,
    encoder_opt: Sequence[str] = (),
    bitrate: int | None = None,
    aim: str = "bitrate",
) -> EncodeSettings:
    """Return the settings for a (width, height) picture in `output`; what is None is chosen from the source.

    `aim` is what the bitrate is given for: itself, or the "size" of the result.

    An encoder that the caller named, or gave options, encodes a frame first; so does DNxHR's, which takes no small
    pictures. One that needs a device and finds none, or that this build of FFmpeg lacks, gives way to vsr's own for its
    codec, unless it was given options in its own terms: a crf, preset, tune, pixel format or option.
    Raises `UsageError` if there is no such encoder, if it does not open, if the container cannot hold the codec, or if
    the encoder lacks the pixel format, crf, preset, tune or option.
    """
    own = read_options(encoder_opt)
    try:
        settings = _settings(info, output, width, height, codec, crf, preset, pix_fmt, tune, own, bitrate, aim)
        if is_foreign(settings.codec, settings.encoder) or settings.codec == "dnxhr" or tune or own:
            try_encoder(info, settings)
    except EncoderFailsError as error:
        instead = software_for(codec or "")
        if instead is None:
            raise
        if own or any(option is not None for option in (crf, preset, pix_fmt, tune)):
            raise UsageError(str(error), Reason.IN_ITS_TERMS, encoder=ENCODERS[instead]) from None
        settings = _settings(info, output, width, height, instead, None, None, None, None, {}, bitrate, aim)
        settings = replace(settings, notes=(*settings.notes, f"{error}: {settings.encoder} takes its place"))
    return settings


def _settings(
    info: VideoInfo,
    output: Path,
    width: int,
    height: int,
    codec: str | None,
    crf: float | None,
    preset: str | None,
    pix_fmt: str | None,
    tune: str | None,
    own: Mapping[str, str],
    bitrate: int | None,
    aim: str,
) -> EncodeSettings:
    """Return the settings of `choose_settings` before a frame is encoded with them."""
    container = container_of(output)
    # options in the terms of another encoder
    asked = own or any(option is not None for option in (crf, preset, pix_fmt, tune, bitrate))
    named = codec is not None
    codec, encoder = resolve(codec or _default_codec(info, output, width, height, keep=not asked))
    if not holds(container, codec):
        suffixes = (".mov", ".mkv") if codec in PROFILES else (".mp4", ".mkv", ".gif", ".mov", ".avi")
        fits = next((suffix for suffix in suffixes if holds(CONTAINERS[suffix], codec)), None)
        if fits is None:
            raise UsageError(f"no container that vsr writes holds {codec}")
        message, held = f"{output.suffix} cannot hold {codec}", " or ".join(container.video)
        raise UsageError(message, Reason.CODEC_NOT_HELD, codecs=held, output=output.stem + fits)
    if bitrate is not None and not _has_bitrate(codec, encoder):
        raise _no_bitrate(codec, encoder, aim)
    supported = _pixel_formats(encoder)
    if container.muxer == "yuv4mpegpipe":
        supported = [name for name in supported if name in Y4M_FORMATS]
    if not supported:
        raise UsageError(f"{encoder} takes no frames from memory")
    profiled = codec in PROFILES and not is_foreign(codec, encoder)
    preset = read_profile(codec, preset) if profiled else preset
    if profiled and preset is not None:
        _check_preset(codec, preset)
        supported = [name for name in supported if name in PROFILES[codec][preset]]
    if pix_fmt is not None and pix_fmt not in supported:
        able = f"{encoder} {preset}" if profiled and preset is not None else encoder
        raise UsageError(f"{able} cannot encode {pix_fmt}: choose one of {', '.join(supported)}")
    chosen = pix_fmt or _nearest_pix_fmt(
        info, codec, supported, alpha=_wants_alpha(info, codec, preset, container, named=named)
    )
    notes: list[str] = [] if pix_fmt else _depth_note(info, chosen, codec, output, preset if profiled else None)
    halved = profiled and preset is not None and "444" not in preset
    if halved and _shape(info.pix_fmt)[1] == 0:
        line = f"{codec} {preset} is 4:2:2: the source's colours have half as many columns in the output"
        notes.append(Note(line, Reason.LOST_BY_PRESET, preset=profile_like(codec, "444")))
    whole = chosen.replace("420", "444")
    from_rgb = info.pix_fmt.startswith("gbr") and not info.images  # which video codecs have, unlike pictures
    if from_rgb and pix_fmt is None and "420" in chosen and whole in supported:
        line = f"{codec} halves the width and height of the RGB source's colours"
        notes.append(Note(line, Reason.FEWER_COLOURS, pix_fmt=whole))
    if info.transparent and not _shape(chosen)[4]:
        lost = f"{codec} {preset} does not keep transparency: all of the output is opaque"
        opacity = profile_like(codec, "yuva") if halved else None
        by_preset = Note(lost, Reason.LOST_BY_PRESET, preset=opacity)
        notes.append(by_preset if opacity else _alpha_note(codec, container, output))
    elif info.alpha and not info.transparent and not _shape(chosen)[4] and pix_fmt is None:
        notes.append(Remark("the source's alpha is opaque: it is left out"))
    elif info.transparent and codec == "gif" and info.codec != "gif":
        notes.append(f"in {output.suffix} a pixel is either transparent or opaque: soft edges become hard")
    if (info.mastering_display or info.content_light) and codec not in HDR_NAMES:
        names = " or ".join(name for name in _beside_alpha(container, chosen) if name in HDR_NAMES)
        lost = f"{codec} cannot hold the HDR mastering metadata"
        if names:
            notes.append(Note(lost, Reason.LOST_BY_CODEC, codec=names))
        else:
            notes.append(Note(lost, Reason.LOST_BY_CONTAINER, output=f"{output.stem}.mkv"))
    even_width, even_height = _even_size(width, height, chosen)
    if "10" in own.get("profile", "") and _shape(chosen)[0] == 8 and pix_fmt is None:
        notes.append(f"the profile {own['profile']} changes nothing: the pixel format, {chosen}, has 8 bits")
    tagged = container.colours or codec not in _UNTAGGED
    notes += [] if tagged else _colour_note(info, output, even_width, even_height)
    if codec == "dnxhr" and info.colour.matrix_for_conversion(info.width, info.height) != 1:
        notes.append(Remark("dnxhr frames are marked as BT.709: the matrix is converted to it"))
    if (even_width, even_height) != (width, height):
        notes.append(f"{chosen} needs even sizes: {width}x{height} becomes {even_width}x{even_height}")
    return EncodeSettings(
        codec,
        encoder,
        _crf(codec, encoder, crf) if bitrate is None else None,
        _preset(codec, encoder, preset, chosen),
        chosen,
        even_width,
        even_height,
        # AVI has no timestamps, so frames must lie in showing order
        b_frames=container.muxer != "avi" and reorders_safely(codec),
        tune=_tune(encoder, tune),
        options=tuple(own.items()),
        bitrate=bitrate,
        tagged=tagged,
        notes=tuple(notes),
    )


def _crf(codec: str, encoder: str, asked: float | None) -> float | None:
    foreign = is_foreign(codec, encoder)
    default, largest = quality(encoder) if foreign else (DEFAULTS[codec][0], LARGEST_CRF.get(codec))
    codec = encoder if foreign else codec
    if asked is None:
        return default
    if largest is None:
        raise UsageError(f"{codec} has no crf", Reason.NO_CRF)
    if not 0 <= asked <= largest:
        raise UsageError(f"a crf of {asked:g} is not for {codec}: use 0 (best) to {largest:g}")
    return asked


def _has_bitrate(codec: str, encoder: str) -> bool:
    """Return whether an encoder can keep to a bit rate: lossless ones, ProRes and DNxHR cannot."""
    if codec in DEFAULTS and DEFAULTS[codec][0] is None:
        return False
    return bool(int(av.Codec(encoder, "w").properties) & _LOSSY)


def _no_bitrate(codec: str, encoder: str, aim: str) -> UsageError:
    """Return the error for an encoder that keeps to no bit rate, with what decides on its size instead."""
    name = encoder if is_foreign(codec, encoder) else codec
    if name in PROFILES:
        presets = " or ".join([", ".join(PRESETS[name][:-1]), PRESETS[name][-1]])
        return UsageError(f"{name} has no {aim} to choose", Reason.PRESET_DECIDES, presets=presets)
    lossy = int(av.Codec(encoder, "w").properties) & _LOSSY
    return UsageError(f"{name} has no {aim} to choose{'' if lossy else ': it is lossless'}")


def _tune(encoder: str, asked: str | None) -> str | None:
    known = TUNES.get(encoder)
    if asked is not None and known is not None and asked not in known:
        raise UsageError(f"{encoder} has no tune {asked}: choose one of {' '.join(known)}")
    return asked


def _preset(codec: str, encoder: str, asked: str | None, pix_fmt: str) -> str | None:
    if is_foreign(codec, encoder):
        return asked
    if asked is None:
        return usual_profile(codec, pix_fmt) if codec in PROFILES else DEFAULTS[codec][1]
    _check_preset(codec, asked)
    return asked


def _check_preset(codec: str, asked: str) -> None:
    """Raise UsageError if a codec of vsr's lacks a preset."""
    known = PRESETS.get(codec, ())
    if not known:
        raise UsageError(f"{codec} has no presets", Reason.NO_PRESET)
    if asked not in known:
        raise UsageError(f"{codec} has no preset {asked}: choose one of {' '.join(known)}")


def _default_codec(info: VideoInfo, output: Path, width: int, height: int, *, keep: bool) -> str:
    container = container_of(output)
    if container.video[0] in INNER:
        return container.video[0]
    own = SYNONYMS.get(info.codec, info.codec)
    if keep and own in KEPT and own in container.video:
        return own
    if keep and info.transparent and (able := _keeps_alpha(container)):
        return info.codec if info.codec in able else able[0]
    deep = info.bit_depth > 8
    if container.muxer == "webm":
        return "av1" if deep else "vp9"  # PyAV's libvpx is built for 8 bits
    if (deep or width * height > LARGEST_H264) and "hevc" in container.video:
        return "hevc"
    return "h264"


def _pixel_formats(encoder: str) -> list[str]:
    """Return the names of the formats that an encoder accepts from memory."""
    return [fmt.name for fmt in av.Codec(encoder, "w").video_formats or () if len(fmt.components)]


def _shape(name: str) -> tuple[int, int, int, bool, bool]:
    """Return (depth, chroma shift x, chroma shift y, is RGB, has alpha) of a pixel format; gray has shifts of 9."""
    fmt = av.VideoFormat(name, 1 << 9, 1 << 9)
    rgb = fmt.is_rgb or fmt.has_palette
    planes = [part for part in fmt.components if not part.is_alpha]
    alpha = len(planes) < len(fmt.components)
    depth = 8 if fmt.has_palette else max(part.bits for part in planes)
    if rgb:
        return depth, 0, 0, True, alpha
    if len(planes) < 3:
        return depth, 9, 9, False, alpha
    x, y = (10 - size.bit_length() for size in (planes[1].width, planes[1].height))
    return depth, x, y, False, alpha


def _keeps_alpha(container: Container) -> tuple[str, ...]:
    """Return the codecs by which alpha is kept in a container, the usual one first."""
    usual = ("prores", "ffv1") if container.muxer == "mov" else ("ffv1", "prores", "vp9")
    beside = container.muxer in ("matroska", "webm")
    return tuple(name for name in ("gif", "apng", *usual) if name in container.video and (name != "vp9" or beside))


def _wants_alpha(info: VideoInfo, codec: str, preset: str | None, container: Container, *, named: bool) -> bool:
    """Return whether a codec is to keep the source's alpha.

    It is where that costs nothing, where something is seen through the first picture, or where the caller has `named`
    such a codec.
    """
    if not info.alpha or codec not in _keeps_alpha(container):
        return False
    if codec == "prores" and preset is not None and "444" not in preset:
        return False
    return info.transparent or named or codec in (info.codec, "ffv1", "gif", "apng")


def _alpha_note(codec: str, container: Container, output: Path) -> Note:
    able = _keeps_alpha(container)
    if able:
        lost = f"{codec} does not keep transparency here: all of the output is opaque"
        return Note(lost, Reason.LOST_BY_CODEC, codec=next((name for name in able if name != codec), able[0]))
    lost = f"{output.suffix} does not keep transparency: all of the output is opaque"
    return Note(lost, Reason.LOST_BY_CONTAINER, output=f"{output.stem}.mov")


def _nearest_pix_fmt(info: VideoInfo, codec: str, supported: list[str], *, alpha: bool) -> str:
    """Return the encoder's format that keeps depth and chroma sampling, or the next higher ones that it has.

    `alpha` says whether it is to have alpha.
    """
    if alpha and codec == "vp9":
        supported = ["yuva420p"]  # which browsers show
    depth, shift_x, shift_y, rgb, _ = _shape(info.pix_fmt)
    depth = max(depth, info.bit_depth) if depth > 8 else depth
    lossless = codec in ("ffv1", "gif", "apng")
    want_rgb = codec in ("gif", "apng") or (rgb and lossless)
    if (rgb or shift_x == 9) and not want_rgb and codec not in ("rawvideo", *PROFILES):
        shift_x = shift_y = 1
    if codec == "gif":
        depth = 8

    def loss(name: str) -> tuple[int, ...]:
        bits, x, y, is_rgb, has_alpha = _shape(name)
        awkward = name.startswith(("yuvj", "nv", "rgb", "ya")) or name.endswith("be") or "f16" in name
        return (
            is_rgb != want_rgb or has_alpha != alpha or awkward or "f32" in name,
            max(0, depth - bits),
            0 if want_rgb else max(0, x - shift_x) + max(0, y - shift_y),
            0 if want_rgb else max(0, shift_x - x) + max(0, shift_y - y),
            max(0, bits - depth),
        )

    return min(supported, key=loss)


def _beside_alpha(container: Container, pix_fmt: str) -> tuple[str, ...]:
    """Return a container's codecs, or those by which alpha is kept where a pixel format has it."""
    return _keeps_alpha(container) if _shape(pix_fmt)[4] else container.video


def _depth_note(info: VideoInfo, chosen: str, codec: str, output: Path, profile: str | None) -> list[str]:
    bits = _shape(chosen)[0]
    if bits >= info.bit_depth or codec == "gif":
        return []
    if codec == info.codec == "prores" and "444" in chosen and "444" in info.pix_fmt:
        return []  # FFmpeg decodes all of ProRes 4444 to 12 bits
    if profile is not None and bits == 8:
        line = f"{codec} {profile} has 8 bits: the source's depth of {info.bit_depth} is lost"
        return [Note(line, Reason.LOST_BY_PRESET, preset=profile_like(codec, "10"))]
    deeper = [name for name in _beside_alpha(container_of(output), chosen) if DEEPEST.get(name, 8) > bits]
    enough = [name for name in deeper if DEEPEST.get(name, 8) >= info.bit_depth]
    best = min(enough or ["ffv1"], key=lambda name: DEEPEST.get(name, 8))
    kept = min(DEEPEST.get(best, 8), info.bit_depth)
    line = f"{codec} keeps {bits} of the source's {info.bit_depth} bits here"
    if enough:
        return [Note(line, Reason.FEWER_BITS, codec=best, kept=kept)]
    return [Note(line, Reason.FEWER_BITS_HERE, output=f"{output.stem}.mkv", codec=best, kept=kept)]


def _colour_note(info: VideoInfo, output: Path, width: int, height: int) -> list[str]:
    """Return a line on what of declared colours changes where the result has no tags, so that players guess them."""
    colour, matrix = info.colour, Colour().matrix_for_conversion(width, height)
    full = colour.range == FULL_RANGE and container_of(output).muxer != "yuv4mpegpipe"  # whose header tells it
    undeclared = (colour.matrix, colour.primaries, colour.transfer) == (2, 2, 2)
    if (undeclared and not full) or info.pix_fmt.startswith("gray"):
        return []
    was = colour.matrix_for_conversion(info.width, info.height) if colour.matrix == 2 else colour.matrix
    made = ["BT.709" if matrix == 1 else "BT.601"] if was not in _GUESSED[matrix] else []
    made += ["limited range"] if full else []
    changes = [f"converted to {' and '.join(made)}, as players guess"] if made else []
    guessed = colour.primaries in (2, *_GUESSED[matrix]) and colour.transfer in (2, *_SDR)
    changes += [] if guessed else ["the primaries and the transfer curve are lost"]
    line = f"{output.suffix} has no colour tags: {'; '.join(changes)}"
    return [Remark(line) if guessed else line] if changes else []


def _even_size(width: int, height: int, pix_fmt: str) -> tuple[int, int]:
    _, x, y, _, _ = _shape(pix_fmt)
    step_x, step_y = (1 if shift in (0, 9) else 1 << shift for shift in (x, y))
    return width + -width % step_x, height + -height % step_y
