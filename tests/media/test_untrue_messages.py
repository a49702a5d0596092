"""What is said of odd sources is true, and what cannot be done is refused before it is begun."""

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import av
import pytest

from tests.media import make
from vsrcli.errors import InputError, UsageError, VsrError
from vsrcli.media.containers import check_container
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.write.mux import complaint
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import run


def test_an_encrypted_video_is_called_encrypted(tmp_path: Path) -> None:
    clear, locked = make.video(tmp_path / "clear.mp4", frames=3), tmp_path / "locked.mp4"
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    make.ffmpeg("-i", clear, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key,
                "-encryption_kid", key, locked)  # fmt: skip
    with pytest.raises(InputError, match="is encrypted"):
        probe(locked)


def test_ffmpeg_s_advice_about_its_own_options_is_removed() -> None:
    line = "[mp4 @ 0x55f] truehd in MP4 support is experimental, add '-strict -2' if you want to use it.\nmore"
    assert complaint(line) == "truehd in MP4 support is experimental"
    assert complaint("Could not write header: Invalid argument") == "Could not write header: Invalid argument"


def test_a_changing_sample_aspect_ratio_is_reported(tmp_path: Path) -> None:
    parts = []
    for name, shape in (("a", "1"), ("b", "2")):
        make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-vf", f"setsar={shape}", "-c:v", "libx264",
                    "-f", "mpegts", tmp_path / f"{name}.ts")  # fmt: skip
        parts.append((tmp_path / f"{name}.ts").read_bytes())
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(parts))
    told: list[str] = []
    list(decode(probe(both), warn=told.append))
    assert sum("the pixels' shape changes at " in line and "from 1 to 2: 1 is kept" in line for line in told) == 1, told


def test_a_copied_second_video_is_reported(tmp_path: Path) -> None:
    film = make.video(tmp_path / "a.mp4", frames=2)
    make.ffmpeg("-i", film, "-i", film, "-map", "0", "-map", "1", "-c", "copy", tmp_path / "two.mkv")
    notes = check_container(probe(tmp_path / "two.mkv"), Path("o.mkv"))
    assert any("stream 1 (video, h264) is copied as it is" in note.replace(", und", "") for note in notes), notes


def test_impossible_sample_aspect_ratios_count_as_undeclared(tmp_path: Path) -> None:
    source = tmp_path / "odd.y4m"
    source.write_bytes(b"YUV4MPEG2 W64 H48 F25:1 Ip A2147483647:1 C420jpeg\n" + (b"FRAME\n" + bytes(4608)) * 2)
    assert probe(source).sample_aspect_ratio == 0


def test_a_long_name_leaves_room_for_the_work_folder_s_suffix() -> None:
    assert job_folder(Path("film.mkv")).name == "film.mkv.vsr"
    names = [job_folder(Path(f"{text}.mkv")).name for text in ("m" * 251, "m" * 250, "é" * 125, "é" * 124 + "x")]
    assert len(set(names)) == 4
    assert all(len(name.encode()) <= 255 and name.endswith(".vsr") for name in names)


def test_a_huge_png_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    page = tmp_path / "page.png"  # which has no picture: to decode it would fail otherwise
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16000, 16000, 8, 2, 0, 0, 0))
    page.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IEND", b""))
    with pytest.raises(UsageError, match="an output of 64000x64000 is out of range"):
        prepare(page, None, Options(model="repvsr.real"), lambda event: None)


@pytest.mark.parametrize("name", ["a%03d.gif", "d%03d/a.gif"])
def test_a_gif_s_name_may_look_like_a_pattern(tmp_path: Path, name: str, tiny_model: str) -> None:
    output = tmp_path / name
    output.parent.mkdir(exist_ok=True)
    film = make.video(tmp_path / "in.mp4", width=32, height=32, frames=2)
    run(prepare(film, output, Options(model=tiny_model), lambda event: None))
    assert output.read_bytes().startswith(b"GIF8")


def test_a_tag_too_long_for_a_command_line_is_kept(tmp_path: Path, tiny_model: str) -> None:
    title, tags = "=;#\\t" * 30_000, tmp_path / "tags.txt"
    escaped = "".join("\\" + c if c in "=;#\\" else c for c in title)
    tags.write_text(f";FFMETADATA1\n[STREAM]\ntitle={escaped}\n")
    film = make.video(tmp_path / "in.mp4", width=32, height=32, frames=2)
    make.ffmpeg("-i", film, "-f", "ffmetadata", "-i", tags, "-f", "lavfi", "-i", "sine=d=0.1", "-map", "0", "-map",
                "2", "-map_metadata:s:0", "1:s:0", "-metadata:s:1", "language=fre", "-metadata:s:1", "title=Voice",
                tmp_path / "long.mkv")  # fmt: skip
    run(prepare(tmp_path / "long.mkv", tmp_path / "o.mkv", Options(model=tiny_model), lambda event: None))
    with av.open(str(tmp_path / "o.mkv")) as container:
        picture, sound = container.streams
        assert picture.metadata["title"] == title
        assert (sound.metadata["title"], sound.language) == ("Voice", "fre")


def test_a_damaged_job_record_gives_one_line(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "in.mp4", width=32, height=32, frames=2)
    output = tmp_path / "o.mkv"
    folder = job_folder(output)

    def fails() -> str:
        with pytest.raises(VsrError) as caught:
            run(prepare(film, output, Options(model=tiny_model), lambda event: None))
        return str(caught.value)

    def begin() -> dict[str, Any]:
        from vsrcli.pipeline.folder.work_folder import WorkFolder
        from vsrcli.pipeline.jobs.fingerprint import fingerprint

        job = prepare(film, output, Options(model=tiny_model), lambda event: None)
        WorkFolder.open(folder, source=fingerprint(job.info), settings=job.settings(), plan=job.plan,
                 segment_frames=job.segment_frames, restart=True).close()  # fmt: skip
        whole: dict[str, Any] = json.loads((folder / "job.json").read_text())
        return whole

    whole = begin()
    texts = ["", "[", "[]", "3", "null", '"x"', "{}", "[" * 100_000, "\0", '{"source": 1, "settings": 2}']
    plans: list[dict[str, Any]]
    plans = [{"window": 0}, {"window": -1}, {"window": "x"}, {"window": 1e99}, {"tile": [1]}, {"tile": 7},
             {"lookahead": None}, {"horizon": {"frames": "x"}}, {"horizon": 3}, {"unknown": 1}]  # fmt: skip
    texts += [json.dumps({**whole, "plan": {**whole["plan"], **change}}) for change in plans]
    texts += [json.dumps({**whole, "segment_frames": n}) for n in (0, -60, 61, "x", None, 1e99)]
    for text in texts:
        (folder / "job.json").write_text(text)
        assert "damaged job" in fails(), text[:80]
    if os.name == "posix":
        for name in ("job.json", "placed.json", "lock", "000000.json"):
            (folder / name).unlink(missing_ok=True)
            os.mkfifo(folder / name)
            assert "is not a file" in fails(), name
            (folder / name).unlink()
