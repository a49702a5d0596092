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


def find_clips(root: Path) -> list[Clip]:
    """Return the clips under `root` (a folder, a video file, or Vimeo-90K's list), in natural order of their names.

    LR frames are those in the folder called LR or LQ, else in the only one beside the ground truth; among several, none
    is guessed. Raises InputError where there is no clip, where a list names missing frames, or where HR and LR differ
    in number.
    """
    if not root.exists():
        raise InputError(f"{root}: no such file or folder")
    if is_video(root) and root.is_file():
        return [Clip(root.stem, (root,))]
    if root.is_file():
        return _vimeo(root)
    if (root / "sep_testlist.txt").is_file():
        return _vimeo(root / "sep_testlist.txt")
    clips = _folder(root)
    if not clips:
        raise InputError(f"{root}: no clips found; expected folders of PNG frames, GT/ and LR/ folders, or video files")
    return clips


def _folder(root: Path) -> list[Clip]:
    frames = _images(root)
    if frames:
        return [Clip(root.resolve().name, frames)]
    hr = _hr_folder(root)
    if hr is not None:
        if _images(hr):
            return [_paired(root.resolve().name, hr, _lr_folder(root, hr, Path()))]
        inner = [f for f in _folders(hr) if _images(f)]
        return [_paired(f.name, f, _lr_folder(root, hr, Path(f.name))) for f in inner]
    clips = [clip for folder in _folders(root) if _images(folder) or _hr_folder(folder) for clip in _folder(folder)]
    videos = sorted((p for p in root.iterdir() if is_video(p) and p.is_file()), key=natural_key)
    return clips + [Clip(p.stem, (p,)) for p in videos]


def _vimeo(listing: Path) -> list[Clip]:
    """Return the septuplets in a list of lines such as 00001/0266; published figures use only the fourth frame."""
    root = listing.parent
    hr_root = _hr_folder(root) or root
    clips = []
    for name in listing.read_text(encoding="utf-8", errors="replace").split():
        if not _images(hr_root / name):
            raise InputError(f"{listing}: names {name}, but {hr_root / name} has no frames")
        clip = _paired(name, hr_root / name, _lr_folder(root, hr_root, Path(name)))
        clips.append(Clip(clip.name, clip.hr, clip.lr, scored=(len(clip.hr) // 2,)))
    if not clips:
        raise InputError(f"{listing}: an empty list")
    return clips


def _hr_folder(root: Path) -> Path | None:
    by_name = {f.name.lower(): f for f in _folders(root)}
    return next((by_name[name] for name in HR_NAMES if name in by_name), None)


def _lr_folder(root: Path, hr: Path, inside: Path) -> Path | None:
    """Return the folder with the LR frames of the clip `inside` the HR folder, if it is unambiguous."""
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
