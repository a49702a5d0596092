"""Where and when a phone shot a film is kept in every container, once, and not said to be lost."""

from pathlib import Path

import av
import pytest

from tests.media import make
from tests.media.test_assemble import enlarge
from vsrcli.errors import OutputError
from vsrcli.media.write.quicktime import write_tags

PLACE, WHEN = "+52.5000+013.4000/", "2023-04-05T06:07:08.000000Z"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_location_and_creation_time_are_written_once(tmp_path: Path, suffix: str) -> None:
    picture = make.video(tmp_path / "v.mp4", frames=3)
    for number, more in enumerate((["title=T", "comment=a; b "], ["com.apple.quicktime.make=Apple"])):
        tags = [f"location={PLACE}", f"creation_time={WHEN}", *more]
        source, result = tmp_path / f"{number}.mp4", tmp_path / f"out{number}{suffix}"
        free = ["-movflags", "use_metadata_tags"] if number else []
        make.ffmpeg("-i", picture, "-c", "copy", *free, *(w for tag in tags for w in ("-metadata", tag)), source)
        assert enlarge(source, result) == []
        with av.open(str(result)) as container:
            found = {key.lower(): value for key, value in container.metadata.items()}
        assert found["location"] == PLACE and found["creation_time"] == WHEN
        assert all(found[name] == value for name, value in (tag.split("=") for tag in more))
        text = make.ffmpeg("-i", result, "-map_metadata", "0", "-f", "ffmetadata", "-").lower()
        assert text.count(f"creation_time={WHEN.lower()}\n") == 1


PHONE = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15 é",
    "com.apple.quicktime.software": "17.1",
    "own": "x; y=z",
}


@pytest.mark.parametrize("origin", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("suffix", [".mp4", ".m4v"])
def test_a_phone_s_tags_are_kept_beside_a_title(tmp_path: Path, origin: str, suffix: str) -> None:
    picture = make.video(tmp_path / "v.mp4", frames=3)
    tags = {**PHONE, "title": "Lake", "artist": "Me", "location": PLACE, "creation_time": WHEN}
    source, result = tmp_path / f"a{origin}", tmp_path / f"out{suffix}"
    words = [word for key, value in tags.items() for word in ("-metadata", f"{key}={value}")]
    make.ffmpeg("-i", picture, "-c", "copy", "-movflags", "use_metadata_tags", *words, source)
    assert enlarge(source, result, tags={"vsr": "upscaled"}) == []
    with av.open(str(result)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert {key: found.get(key) for key in tags} == tags and found["encoder"] == "upscaled"
    second = make.ffmpeg("-i", result, "-f", "ffmetadata", "-")
    assert "com.apple.quicktime.model=iPhone 15 é\n" in second, "not in capitals, as Matroska has them"
    assert "title=Lake\n" in second
    again = tmp_path / f"again{suffix}"  # the customary form is there, where players look
    make.ffmpeg("-i", result, "-c", "copy", again)
    with av.open(str(again)) as container:
        assert container.metadata["title"] == "Lake" and "own" not in container.metadata


def test_a_result_made_again_carries_the_new_mark_alone(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "v.mp4", frames=3)
    make.ffmpeg("-i", picture, "-c", "copy", "-metadata", "vsr=old", "-metadata", "title=T", tmp_path / "a.mkv")
    assert enlarge(tmp_path / "a.mkv", tmp_path / "b.mp4", tags={"vsr": "new"}) == []
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert "vsr" not in {key.lower() for key in container.metadata} and container.metadata["encoder"] == "new"


def test_tags_are_not_written_where_there_is_no_room(tmp_path: Path) -> None:
    path = make.video(tmp_path / "v.mp4", frames=1)
    write_tags(path, {"own": "1"})
    path.write_bytes(path.read_bytes() + b"\0\0\0\x10free12345678")
    with pytest.raises(OutputError, match="no room for tags"):
        write_tags(path, {"own": "2"})
    (tmp_path / "none.mp4").write_bytes(b"\0\0\0\x10free12345678")
    with pytest.raises(OutputError, match="no movie header"):
        write_tags(tmp_path / "none.mp4", {"own": "2"})
