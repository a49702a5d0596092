"""Where and when a phone shot a film is kept in every container, once, and not said to be lost."""

from pathlib import Path

import av
import pytest

from tests.media import make
from tests.media.test_assemble import enlarge

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
