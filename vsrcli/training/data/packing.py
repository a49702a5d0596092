"""Making packs: videos and photographs become small sharp uint8 clips in one file. Only this needs PyAV."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vsrcli.errors import InputError, UsageError
from vsrcli.names import is_image, is_video
from vsrcli.quality.degrade import imresize
from vsrcli.training.data import pictures, stills
from vsrcli.training.data.pack import Pack, in_turns, spread, write_pack
from vsrcli.training.data.real import lower_real

HALVE_FROM = 720  # lines: below the coding scale of such videos lies no detail, above it lie artefacts
CANDIDATES = 4  # crops of which the sharpest is taken
DULL = 2.0  # levels between neighbouring pixels: clips below show nothing to learn from

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
    """Write a pack of clips of `frames` frames of `size` x `size` from videos, photographs and folders of them.

    Sources whose name contains one of `hold_out` become validation clips. `real`, a scale, adds low-resolution frames
    that were blurred, reduced and compressed by a real codec. Returns the number of clips. Raises UsageError where
    there is no source, InputError where one cannot be read.
    """
    files = sorted({f for source in sources for f in _files(source)})
    if not files:
        raise UsageError("no videos or photographs to pack: name files or folders")
    parts = {f: "validation" if any(word in f.name for word in hold_out) else "train" for f in files}
    photos = [f for f in files if is_image(f)]
    stems = Counter(f.stem for f in files)
    tensors: dict[str, Tensor] = {}
    for number, file in enumerate(files):
        generator = torch.Generator().manual_seed((seed << 32) + number)
        part = parts[file]
        if file in photos:
            fronts = [f for f in photos if parts[f] == part]  # what is held out is not seen in training either
            clips = photo_clips(file, fronts, frames, size, clips_per_source, generator)
        else:
            clips = video_clips(file, frames, size, clips_per_source, generator)
        label = file.stem if stems[file.stem] == 1 else str(file)
        count = 0
        for count, clip in enumerate(clips, 1):
            tensors[f"{part}/{label}.{count:03d}"] = clip
            if real is not None:
                tensors[f"{part}-lr/{label}.{count:03d}"] = lower_real(clip, real, generator)
        if say:
            say(f"{file.name}: {count} clips ({part})")
    about = {"frames": frames, "size": size, "seed": seed, "sources": [f.name for f in files]}
    return write_pack(output, tensors, about)


def compact(packs: list[Path], output: Path, limit: int) -> int:
    """Write as many of the packs' clips as `limit` bytes hold, compressed: of all sources alike, few for validation.

    Returns the number of clips. Raises InputError where a pack cannot be read.
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
    about = {"lengths": lengths, "sources": whole.sources}
    return write_pack(output, tensors, about)


def video_clips(file: Path, frames: int, size: int, limit: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Up to `limit` clips (frames, 3, size, size) spread over a video; 720 lines and more are halved first."""
    windows = sum(1 for _ in _packets(file)) // frames
    wanted = set(torch.linspace(0, windows - 1, min(limit, windows)).round().int().tolist()) if windows else set()
    window: list[Tensor] = []
    for number, frame in enumerate(_decode(file)):
        if number // frames in wanted:
            window.append(_rgb(frame))
        if len(window) == frames:
            clip = _sharpest_crop(torch.stack(window), size, generator)
            window = []
            if clip is not None:
                yield clip


def photo_clips(
    file: Path, photos: list[Path], frames: int, size: int, limit: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Up to `limit` clips of a photograph in motion; before a third of them another photograph moves."""
    photo = _photo(file)
    for _ in range(limit if min(photo.shape[-2:]) >= 2 * size else 0):
        front = None
        if torch.rand((), generator=generator) < 1 / 3:
            other = _photo(photos[int(torch.randint(len(photos), (), generator=generator))])
            front = other if min(other.shape[-2:]) >= 2 * size else None
        clip = stills.animate(photo, frames, size, generator, front=front)
        if _sharpness(clip) >= DULL:
            yield clip


def _sharpest_crop(frames: Tensor, size: int, generator: torch.Generator) -> Tensor | None:
    """Of a few random crops of (t, 3, h, w) the one with the most detail; None if it is dull or the video too small."""
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
    """Mean absolute difference of neighbouring pixels, in levels, of the middle frame."""
    frame = clip[len(clip) // 2].float()
    return float(frame.diff(dim=-1).abs().mean() + frame.diff(dim=-2).abs().mean()) / 2


def _files(source: Path) -> Iterator[Path]:
    """The videos and photographs that a path names."""
    if source.is_dir():
        candidates = [p for p in source.rglob("*") if is_video(p) or is_image(p)]
        yield from (p for p in candidates if p.is_file())
    elif source.is_file():
        yield source
    else:
        raise InputError(f"{source}: no such file or folder")


def _packets(file: Path) -> Iterator[Any]:
    with _opened(file) as container:
        yield from (packet for packet in container.demux(video=0) if packet.size)


def _decode(file: Path) -> Iterator[Any]:
    with _opened(file) as container:
        container.streams.video[0].thread_type = "AUTO"
        yield from container.decode(video=0)


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
    """(3, h, w) uint8 of a decoded frame."""
    return torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)


@lru_cache(maxsize=8)
def _photo(file: Path) -> Tensor:
    return _rgb(next(_decode(file))).contiguous()
