"""Find the clips of an evaluation set: which files are ground truth, which are LR, which frames are scored.

Only paths are handled here; frames are read by the caller. Recognised layouts (HR may also be called GT, truth,
original, target or sharp; LR any other name beside it):

    root/*.png                      one clip
    root/CLIP/*.png                 Vid4, UDM10
    root/GT/CLIP/*.png              with root/BIx4/CLIP/*.png or similar: Vid4 and REDS4 in BasicSR's layout
    root/CLIP/truth/*.png           with root/CLIP/blur4/*.png or similar: UDM10, SPMCS
    root/sep_testlist.txt           with root/sequences/00001/0266/im1..7.png (or root/GT/...): Vimeo-90K-T
    root/*.mp4, *.mkv, ...          each video file is a clip
"""

from dataclasses import dataclass
from pathlib import Path

from vsrcli.errors import InputError
from vsrcli.names import is_image, is_video, natural_key

HR_NAMES = ("hr", "gt", "truth", "original", "target", "sharp", "train_sharp", "val_sharp", "sequences")


@dataclass(frozen=True)
class Clip:
    """One clip: `hr` and `lr` are image files in order, or one video file.

    `scored` holds the numbers of the frames that count in published figures; None means all.
    """

    name: str
    hr: tuple[Path, ...]
    lr: tuple[Path, ...] | None = None
    scored: tuple[int, ...] | None = None

    @property
    def is_video(self) -> bool:
        """Whether the frames are in a video file."""
        return is_video(self.hr[0])


def find_clips(root: Path, *, lr_name: str | None = None) -> list[Clip]:
    """Return the clips under `root` (a folder, a video file, or Vimeo-90K's list), in natural order of their names.

    `lr_name` is the name of the folder with the LR frames. By default it is the one called LR or LQ, else the only one
    beside the ground truth; among several, none is chosen. Raises InputError if there is no clip, if a list names
    missing frames, or if the numbers of HR and LR frames differ.
    """
    if not root.exists():
        raise InputError(f"{root}: no such file or folder")
    if is_video(root) and root.is_file():
        return [Clip(root.stem, (root,))]
    if root.is_file():
        return _vimeo(root, lr_name)
    if (root / "sep_testlist.txt").is_file():
        return _vimeo(root / "sep_testlist.txt", lr_name)
    clips = _folder(root, lr_name)
    if not clips:
        raise InputError(f"{root}: no clips found; expected folders of PNG frames, GT/ and LR/ folders, or video files")
    return clips


def _folder(root: Path, lr_name: str | None) -> list[Clip]:
    frames = _images(root)
    if frames:
        return [Clip(root.resolve().name, frames)]
    hr = _hr_folder(root)
    if hr is not None:
        if _images(hr):
            return [_paired(root.resolve().name, hr, _lr_folder(root, hr, Path(), lr_name))]
        inner = [f for f in _folders(hr) if _images(f)]
        return [_paired(f.name, f, _lr_folder(root, hr, Path(f.name), lr_name)) for f in inner]
    clips = [
        clip for folder in _folders(root) if _images(folder) or _hr_folder(folder) for clip in _folder(folder, lr_name)
    ]
    videos = sorted((p for p in root.iterdir() if is_video(p) and p.is_file()), key=natural_key)
    return clips + [Clip(p.stem, (p,)) for p in videos]


def _vimeo(listing: Path, lr_name: str | None) -> list[Clip]:
    """Return the septuplets in a list of lines such as 00001/0266; published figures use only the fourth frame."""
    root = listing.parent
    hr_root = _hr_folder(root) or root
    clips = []
    for name in listing.read_text(encoding="utf-8", errors="replace").split():
        if not _images(hr_root / name):
            raise InputError(f"{listing}: names {name}, but {hr_root / name} has no frames")
        clip = _paired(name, hr_root / name, _lr_folder(root, hr_root, Path(name), lr_name))
        clips.append(Clip(clip.name, clip.hr, clip.lr, scored=(len(clip.hr) // 2,)))
    if not clips:
        raise InputError(f"{listing}: an empty list")
    return clips


def _hr_folder(root: Path) -> Path | None:
    by_name = {f.name.lower(): f for f in _folders(root)}
    return next((by_name[name] for name in HR_NAMES if name in by_name), None)


def _lr_folder(root: Path, hr: Path, inside: Path, lr_name: str | None) -> Path | None:
    """Return the folder with the LR frames of the clip `inside` the HR folder, if it is unambiguous."""
    if lr_name is not None:
        return root / lr_name / inside
    found = {f.name.lower(): f / inside for f in _folders(root) if f != hr and _images(f / inside)}
    for name in ("lr", "lq"):
        if name in found:
            return found[name]
    return next(iter(found.values())) if len(found) == 1 else None


def _paired(name: str, hr: Path, lr: Path | None) -> Clip:
    frames = _images(hr)
    lr_frames = _images(lr) if lr else None
    if lr_frames is not None and len(lr_frames) != len(frames):
        raise InputError(f"{lr}: {len(lr_frames)} LR frames for the {len(frames)} in {hr}")
    return Clip(name, frames, lr_frames)


def _images(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted((p for p in folder.iterdir() if is_image(p) and not p.name.startswith(".")), key=natural_key))


def _folders(root: Path) -> tuple[Path, ...]:
    return tuple(sorted((p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")), key=natural_key))
