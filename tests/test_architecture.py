"""What ARCHITECTURE.md says agrees with the code: its files exist, and its walks are those of a real job."""

import ast
import importlib
import re
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import vsrcli
from tests.command import vsr
from tests.media import make

PACKAGE = Path(vsrcli.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
RECORDS = {"choices.py", "media/options.py"}
"""Files of the walks without functions: records of options."""


def walk(name: str) -> list[str]:
    """Return the files of a walk as it is now."""
    (row,) = re.findall(rf"^\| {name}, now \|(.*)\|$", TEXT, re.MULTILINE)
    return re.findall(r"`([\w/]+\.py)`", row)


def test_all_named_files_exist() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|toml|md))`", TEXT))
    folders = [PACKAGE, *(ROOT / name for name in ("tests", "weights", "examples", "scripts", "docs"))]
    files = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*.*")}
    assert len(named) > 40
    assert [name for name in sorted(named) if not any(f"/{file}".endswith(f"/{name}") for file in files)] == []


def test_the_layout_has_every_folder_and_no_other() -> None:
    layout = TEXT.partition("```")[2].partition("```")[0]
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"^  (\w+)/ ", layout, re.MULTILINE)) == folders
    for file in re.findall(r"\b(\w+\.py)\b", layout):
        assert list(PACKAGE.rglob(file)), file


def imports(file: Path) -> set[str]:
    """Return the modules of this package that a file imports, anywhere in it: "media/read/decode"."""
    found = set[str]()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vsrcli":
            parts = (node.module or "").split(".")[1:]
            found |= {"/".join([*parts, name.name]) for name in node.names}
    return found


def test_imports_go_down_through_the_layers() -> None:
    layout = TEXT.partition("```")[2].partition("```")[0]
    layers = re.findall(r"^  (\w+)/ ", layout, re.MULTILINE)
    up = [
        (layer, name)
        for place, layer in enumerate(layers)
        for file in (PACKAGE / layer).rglob("*.py")
        for name in imports(file)
        if name.split("/")[0] in layers[:place]
    ]
    assert up == []


@pytest.mark.parametrize("layer", ["pipeline", "media"])
def test_imports_go_down_through_the_rooms_of_a_layer(layer: str) -> None:
    (text,) = re.findall(rf"^  {layer}/ .*?rooms: (.*?)(?=^  \w)", TEXT, re.MULTILINE | re.DOTALL)
    rooms = re.findall(r"(\w+)\s+\(", text)
    assert set(rooms) == {path.name for path in (PACKAGE / layer).iterdir() if (path / "__init__.py").is_file()}
    assert text.count(">") == len(rooms) - 1
    up = [
        (file.stem, name)
        for place, room in enumerate(rooms)
        for file in (PACKAGE / layer / room).rglob("*.py")
        for name in imports(file)
        if name.split("/")[:1] == [layer] and name.split("/")[1] in rooms[:place]
    ]
    assert up == []


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files under vsrcli/ of which a function runs in a job, with weights picked by the source."""
    folder, seen = tmp_path_factory.mktemp("job"), set[str]()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        seen.add(frame.f_code.co_filename)

    importlib.import_module("vsrcli.pipeline.running.run")  # untraced, since PyTorch calls a lot while it is imported
    source = make.video(folder / "in.mp4", frames=2, width=32, height=32)
    before = sys.gettrace()  # that of a measurement of coverage
    threading.settrace(note)
    sys.settrace(note)
    try:
        done = vsr("upscale", source, "-m", "repvsr", "-v")
    finally:
        sys.settrace(before)
        threading.settrace(before)
    assert done.returncode == 0, done.stderr
    return {Path(file).relative_to(PACKAGE).as_posix() for file in seen if file.startswith(str(PACKAGE))}


@pytest.mark.parametrize("name", ["a frame", "options", "a model's name"])
def test_a_job_runs_through_every_file_of_the_walk(name: str, called: set[str]) -> None:
    files = walk(name)
    assert len(files) >= 9
    assert [file for file in files if file not in called | RECORDS] == []
    assert RECORDS.isdisjoint(called)
