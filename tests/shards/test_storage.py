"""Sources and outputs behind URLs: fetched once, checked, uploaded whole or not at all; plain paths need no fsspec."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import vsr
from tests.media import make
from tests.told import told
from vsrcli.errors import InputError, OutputError, OutputExistsError, UsageError
from vsrcli.shards import storage

fsspec = pytest.importorskip("fsspec", reason="the package fsspec is not installed (pip install 'vsrcli[cloud]')")
FAST = ["--window", "4", "--lookahead", "2", "--precision", "fp32", "-q"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory() -> Iterator[Any]:
    """A store in this process's memory."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


@pytest.mark.parametrize("text", ["s3://a/b", "https://a/b.mkv", "gs://x/y", "memory://a"])
def test_urls_and_paths_are_told_apart(text: str) -> None:
    assert storage.is_url(text)
    assert not storage.is_url("C:\\a.mkv") and not storage.is_url("/s3:/a") and not storage.is_url("a.mkv")


def test_a_job_reads_and_writes_urls(memory: Any, tiny_model: str, tmp_path: Path, cache: Path) -> None:
    film = make.video(tmp_path / "film.mkv", width=32, height=24, frames=6)
    memory.pipe_file("/in/film.mkv", film.read_bytes())
    done = vsr("upscale", "memory://in/film.mkv", "-o", "memory://out/big.mkv", "-m", tiny_model, *FAST, "--json")
    report = json.loads(done.stdout)
    assert (report["input"], report["output"]) == ("memory://in/film.mkv", "memory://out/big.mkv")
    assert memory.ls("/out", detail=False) == ["/out/big.mkv"]
    assert not list(cache.rglob("*.vsr")) and not list(cache.rglob("big*"))
    (tmp_path / "big.mkv").write_bytes(memory.cat_file("/out/big.mkv"))
    assert len(make.second_opinion(tmp_path / "big.mkv")) == 6
    again = vsr("upscale", "memory://in/film.mkv", "-o", "memory://out/big.mkv", "-m", tiny_model, *FAST)
    assert again.returncode == 2 and "memory://out/big.mkv exists: add -y" in again.stderr


def test_files_are_fetched_again_only_if_changed_or_damaged(memory: Any) -> None:
    heard: list[int] = []

    def fetch() -> Path:
        heard.clear()
        return storage.fetch("memory://a/b.bin", progress=lambda done, total: heard.append(done))

    memory.pipe_file("/a/b.bin", b"first")
    copy = fetch()
    assert (copy.name, copy.read_bytes(), bool(heard)) == ("b.bin", b"first", True)
    first = copy.stat().st_mtime_ns
    assert fetch().read_bytes() == b"first" and not heard
    copy.write_bytes(b"fIrst")
    assert fetch().read_bytes() == b"first" and heard
    assert copy.stat().st_mtime_ns == first
    time.sleep(0.01)
    memory.pipe_file("/a/b.bin", b"other")
    assert fetch().read_bytes() == b"other" and copy.stat().st_mtime_ns != first


def test_unreadable_urls_give_one_line(memory: Any) -> None:
    with told(InputError, "cannot read memory://none/x.mkv"):
        storage.fetch("memory://none/x.mkv")
    memory.pipe_file("/folder/x.mkv", b"x")
    with told(UsageError, "is a folder"):
        storage.fetch("memory://folder")
    with told(UsageError, "cannot use nosuch://a/b"):
        storage.fetch("nosuch://a/b")
    done = vsr("upscale", "memory://folder/x.mkv")
    assert done.returncode == 2 and "the output is not named, which a URL leaves open: give -o" in done.stderr


def test_a_failed_upload_leaves_no_object(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"12345678")

    def half(self: Any, local: str, remote: str, **how: Any) -> None:
        self.pipe_file(remote, Path(local).read_bytes()[:4])

    with monkeypatch.context() as patched:
        patched.setattr(type(memory), "put_file", half)
        with told(OutputError, "cannot write memory://out/a.bin: it was cut off"):
            storage.upload(file, "memory://out/a.bin", overwrite=False)
    assert not memory.find("/")
    storage.upload(file, "memory://out/a.bin", overwrite=False)
    file.write_bytes(b"new")
    with pytest.raises(OutputExistsError):
        storage.upload(file, "memory://out/a.bin", overwrite=False)
    assert memory.cat_file("/out/a.bin") == b"12345678"
    storage.upload(file, "memory://out/a.bin", overwrite=True)
    assert memory.cat_file("/out/a.bin") == b"new" and memory.find("/") == ["/out/a.bin"]


def test_plain_paths_never_import_fsspec(tmp_path: Path) -> None:
    script = "import sys; from vsrcli.cli import main; sys.argv = ['vsr', 'upscale', 'none.mkv', '-q']\n"
    script += "try:\n main()\nexcept SystemExit:\n pass\n"
    script += "assert 'vsrcli.shards.storage' not in sys.modules"  # which alone imports it, beside torch itself
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_job_reads_and_writes_s3(tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of S3 on loopback."""
    server = pytest.importorskip("moto.server", reason="the package moto is not installed (pip install 'moto[server]')")
    s3fs = pytest.importorskip("s3fs", reason="the package s3fs is not installed (pip install 'vsrcli[cloud]')")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fs = s3fs.S3FileSystem(endpoint_url=address, skip_instance_cache=True)
    try:
        fs.mkdir("films")
        film = make.video(tmp_path / "film.mkv", width=32, height=24, frames=6)
        fs.put_file(str(film), "films/film.mkv")
        done = vsr("upscale", "s3://films/film.mkv", "-o", "s3://films/out/big.mkv", "-m", tiny_model, *FAST, "--json")
        assert done.returncode == 0, done.stderr
        fs.invalidate_cache()
        assert fs.find("films") == ["films/film.mkv", "films/out/big.mkv"]
        # killed while it uploads many parts
        (tmp_path / "large.bin").write_bytes(bytes(200 << 20))
        script = "from pathlib import Path; from vsrcli.shards.storage import upload; print('up', flush=True)\n"
        script += f"upload(Path({str(tmp_path / 'large.bin')!r}), 's3://films/large.bin', overwrite=False)"
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        time.sleep(1.0)
        process.kill()
        process.communicate()
        fs.invalidate_cache()
        assert "films/large.bin" not in fs.find("films")
    finally:
        running.stop()
