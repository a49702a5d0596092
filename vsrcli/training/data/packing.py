"""Make packs: cut videos and photographs into small sharp uint8 clips in one file. Only this module needs PyAV."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vsrcli import log
from vsrcli.errors import InputError, UsageError
from vsrcli.names import is_image, is_video
from vsrcli.quality.degrade import imresize
from vsrcli.training.data import pictures, stills
from vsrcli.training.data.pack import Origins, Pack, in_turns, spread, write_pack
from vsrcli.training.data.real import lower_real
from vsrcli.training.data.sequences import Sequence, split
from vsrcli.words import counted

HALVE_FROM = 720  # lines: at full size such videos have compression artifacts instead of detail
CANDIDATES = 4  # number of random crops, of which the sharpest is used
DULL = 2.0  # levels between neighbouring pixels: clips below have no useful detail

Say = Callable[[str], None]


def pack(
    sources: list[Path],
    output: Path,
    *,
    frames: int = 15,
    size: int = 256,
    clips_per_source: int = 12,
    hold_out: tuple[str, ...] = (),
    real: int | None = None,
    seed: int = 0,
    say: Say | None = None,
) -> int:
    """Write a pack of clips from videos, photographs and folders of them; return the number of clips.

    Images that are the frames of a video (sequences.py) give clips of that video; photographs are set in motion.

    Raises UsageError if there is no source, InputError if one cannot be read or none gives a clip.

    Args:
        sources: files and folders.
        output: path of the pack.
        frames: frames of a clip.
        size: height and width of a clip in pixels.
        clips_per_source: largest number of clips of one source.
        hold_out: sources whose name contains one of these become validation clips.
        real: scale of LR frames to add, which are blurred, downscaled and compressed by a real codec; None adds none.
        seed: of all random choices.
        say: called with a line for each source.
    """
    videos, sequences, photos = sorted_out(sources)
    frames_of = {sequence.path: sequence.images for sequence in sequences}
    files = sorted([*videos, *photos, *frames_of])
    if not files:
        raise UsageError("no videos or photographs to pack: name files or folders")
    names = {f: f.name for f in files} | {sequence.path: sequence.name for sequence in sequences}
    parts = {f: "validation" if any(word in names[f] for word in hold_out) else "train" for f in files}
    stems = Counter(f.stem for f in files)
    tensors: dict[str, Tensor] = {}
    origins = Origins()
    for number, file in enumerate(files):
        generator = torch.Generator().manual_seed((seed << 32) + number)
        part = parts[file]
        if file in frames_of:
            kind = f"video of {counted(len(frames_of[file]), 'image')}"
            clips = image_clips(frames_of[file], frames, size, clips_per_source, generator)
        elif file in photos:
            kind = "a photograph set in motion"
            fronts = [f for f in photos if parts[f] == part]  # held-out photographs are not used for training either
            clips = photo_clips(file, fronts, frames, size, clips_per_source, generator)
        else:
            kind = "video"
            clips = video_clips(file, frames, size, clips_per_source, generator)
        label = file.stem if stems[file.stem] == 1 else str(file)
        count = 0
        for count, clip in enumerate(clips, 1):
            tensors[f"{part}/{label}.{count:03d}"] = clip
            if real is not None:
                tensors[f"{part}-lr/{label}.{count:03d}"] = lower_real(clip, real, generator)
        tell = say or log.note
        tell(f"{names[file]}: {counted(count, 'clip')} ({part}, as {kind})")
        if count:
            (origins.held_out if part == "validation" else origins.sources).append(names[file])
        if file in frames_of and len(frames_of[file]) < frames:
            tell(f"{names[file]}: its {len(frames_of[file])} images are fewer than the {frames} frames of a clip")
    if not tensors:
        raise InputError(f"no source has a sharp clip of {frames} frames of {size}x{size} pixels: no pack is written")
    about = {"frames": frames, "size": size, "seed": seed} | asdict(origins)
    return write_pack(output, tensors, about)


def compact(packs: list[Path], output: Path, limit: int) -> int:
    """Write as many of the packs' clips, compressed, as fit into `limit` bytes; return their number.

    All sources are represented equally, with a few validation clips. Raises InputError if a pack cannot be read.
    """
    whole = Pack(packs)
    train = in_turns(whole.names("train"))
    names = [("validation", name) for name in spread(whole.names("validation"))] + [("train", name) for name in train]
    tensors: dict[str, Tensor] = {}
    lengths: dict[str, int] = {}
    size = 0
    for part, name in names:
        hr, lr = whole.pair(part, name)
        files = {f"{part}/{name}": pictures.compress(hr, lossless=False)}
        if lr is not None:
            files[f"{part}-lr/{name}"] = pictures.compress(lr, lossless=True)
        answer = whole.answer(part, name)
        if answer is not None:
            files[f"{part}-answer/{name}"] = pictures.compress(answer, lossless=False)
        size += sum(map(len, files.values()))
        if size > limit:
            break
        tensors |= files
        lengths |= dict.fromkeys(files, len(hr))
    about = {"lengths": lengths} | asdict(whole.origins)
    return write_pack(output, tensors, about)


def video_clips(file: Path, frames: int, size: int, limit: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield up to `limit` clips (frames, 3, size, size) spread over a video; 720 lines and more are halved first."""
    return _clips(sum(1 for _ in _packets(file)), map(_rgb, _decode(file)), frames, size, limit, generator)


def image_clips(
    images: tuple[Path, ...], frames: int, size: int, limit: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield up to `limit` clips (frames, 3, size, size) spread over a video that lies as images; see `video_clips`."""
    return _clips(len(images), map(load_photo, images), frames, size, limit, generator)


def _clips(
    count: int, pictures: Iterable[Tensor], frames: int, size: int, limit: int, generator: torch.Generator
) -> Iterator[Tensor]:
    windows = count // frames
    wanted = set(torch.linspace(0, windows - 1, min(limit, windows)).round().int().tolist()) if windows else set()
    window: list[Tensor] = []
    for number, picture in enumerate(pictures):
        if number // frames in wanted:
            window.append(picture)
        if len(window) == frames:
            clip = _sharpest_crop(torch.stack(window), size, generator)
            window = []
            if clip is not None:
                yield clip


def photo_clips(
    file: Path, photos: list[Path], frames: int, size: int, limit: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield up to `limit` clips of a photograph in motion; in a third of them another photograph moves in front."""
    photo = load_photo(file)
    for _ in range(limit if min(photo.shape[-2:]) >= 2 * size else 0):
        front = None
        if torch.rand((), generator=generator) < 1 / 3:
            other = load_photo(photos[int(torch.randint(len(photos), (), generator=generator))])
            front = other if min(other.shape[-2:]) >= 2 * size else None
        clip = stills.animate(photo, frames, size, generator, front=front)
        if _sharpness(clip) >= DULL:
            yield clip


def _sharpest_crop(frames: Tensor, size: int, generator: torch.Generator) -> Tensor | None:
    """Return the sharpest of a few random crops of (t, 3, h, w); None if it has no detail or the video is too small."""
    unit = 2 if min(frames.shape[-2:]) >= HALVE_FROM else 1
    h, w = frames.shape[-2:]
    if min(h, w) < size * unit:
        return None
    best, most = frames, 0.0
    for _ in range(CANDIDATES):
        y = int(torch.randint(h - size * unit + 1, (), generator=generator))
        x = int(torch.randint(w - size * unit + 1, (), generator=generator))
        crop = frames[..., y : y + size * unit, x : x + size * unit]
        detail = _sharpness(imresize(crop[len(crop) // 2][None], 1 / unit))
        if detail > most:
            best, most = crop, detail
    return imresize(best, 1 / unit) if most >= DULL else None


def _sharpness(clip: Tensor) -> float:
    """Return the mean absolute difference of neighbouring pixels of the middle frame, in levels."""
    frame = clip[len(clip) // 2].float()
    return float(frame.diff(dim=-1).abs().mean() + frame.diff(dim=-2).abs().mean()) / 2


def sorted_out(sources: Iterable[Path]) -> tuple[list[Path], list[Sequence], list[Path]]:
    """Return the videos, the sequences of images and the photographs in files, folders and patterns of images' names.

    A pattern (frames/%08d.png, frames/*.png) is a sequence; see `sequences.py` for other images. Raises InputError.
    """
    from vsrcli.media.photo.images import expand_images

    files, named = set[Path](), set[Sequence]()
    for source in sources:
        images = None if source.exists() else expand_images(source)
        if images is None:
            files.update(files_in(source))
        else:
            named.add(Sequence(images[0].parent, images))
    found, photos = split((file for file in files if is_image(file)), load_photo)
    return sorted(file for file in files if not is_image(file)), sorted({*named, *found}), photos


def files_in(source: Path) -> Iterator[Path]:
    """Yield the videos and photographs in a path."""
    if source.is_dir():
        candidates = [p for p in source.rglob("*") if is_video(p) or is_image(p)]
        yield from (p for p in candidates if p.is_file())
    elif source.is_file():
        yield source
    else:
        raise InputError(f"{source}: no such file or folder")


def _packets(file: Path) -> Iterator[Any]:
    from vsrcli.media.opening import demux

    with _opened(file) as container:
        yield from (packet for packet in demux(container, container.streams.video[0]) if packet.size)


def _decode(file: Path) -> Iterator[Any]:
    from vsrcli.media.opening import demux

    with _opened(file) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for packet in demux(container, stream):
            yield from packet.decode()


def _opened(file: Path) -> Any:
    from av.error import FFmpegError

    from vsrcli.media.containers import open_container

    try:
        container = open_container(file)
    except (OSError, FFmpegError) as error:
        raise InputError(f"{file}: not a readable video or photograph ({error})") from None
    if not container.streams.video:
        raise InputError(f"{file}: holds no video stream")
    return container


def _rgb(frame: Any) -> Tensor:
    """Return a decoded frame as (3, h, w) uint8."""
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)


@lru_cache(maxsize=8)
def load_photo(file: Path) -> Tensor:
    """Return a photograph (3, h, w)."""
    return _rgb(next(_decode(file))).contiguous()
