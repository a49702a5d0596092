"""Flags are named by the command line alone: each reason for a failure below gets its advice there."""

import ast
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import vsrcli
from vsrcli.cli import COMMANDS, cli, evaluate, upscale
from vsrcli.cli.messages import ADVICE, full
from vsrcli.errors import Note, OutputExistsError, Reason, UsageError, VsrError

ROOT = Path(vsrcli.__file__).parent
BELOW = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT / "cli")
FLAG = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def flags() -> set[str]:
    """Every flag of every command."""
    commands = [cli.get_command(click.Context(cli), name) for name in COMMANDS]
    for group in [command for command in commands if isinstance(command, click.Group)]:
        commands += [
            group.get_command(click.Context(group), name) for name in group.list_commands(click.Context(group))
        ]
    return {flag for command in commands if command for p in command.params for flag in p.opts if flag.startswith("-")}


FLAGS = flags() | {"-h", "--help", "--version"}


def texts(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Line, text and whether it is documentation, of all texts; those of an f-string count as one."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            words = [str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values]
            yield node.lineno, "".join(words), False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value, id(node) in documents


def named(text: str, *, documentation: bool) -> set[str]:
    """The flags of vsr that a text names. A flag alone is an argument of ffmpeg's; whole commands may be documented."""
    if documentation:
        text = re.sub(r"`[^`]*\bvsr[^`]*`", "", text)
    alone = FLAG.fullmatch(text.removesuffix(":{}"))
    return set() if alone else {flag for flag in FLAG.findall(text) if flag in FLAGS}


@pytest.mark.parametrize("path", BELOW, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_flag_is_named_below_the_command_line(path: Path) -> None:
    found = [
        (line, flag, text)
        for line, text, documentation in texts(ast.parse(path.read_text(encoding="utf-8")))
        for flag in named(text, documentation=documentation)
    ]
    assert not found


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ('raise UsageError("add -y to overwrite it")', {"-y"}),
        ('f"{codec}: use --codec {held}, or -o {stem}.mkv"', {"--codec", "-o"}),
        ('say("no clips (pack with --hold-out)")', {"--hold-out"}),
        ('"""Raise --frames."""', {"--frames"}),
        ('"""`vsr evaluate --ablate window` prints it."""', set()),
        ('["ffmpeg", "-y", "-o"]', set()),
        ('"run `pip install --no-deps x`"', set()),
        ('"a window-lookahead of 10-y"', set()),
    ],
)
def test_the_flag_pattern_matches_flags_only(source: str, seen: set[str]) -> None:
    found = texts(ast.parse(source))
    documents_count = source.startswith('"""')
    assert {f for _, text, d in found for f in named(text, documentation=d and documents_count)} == seen


def raised() -> Iterator[tuple[str, Reason, set[str]]]:
    """Every use of a reason below the command line: where, which, and the data that go with it."""
    for path in BELOW:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            data = {keyword.arg for keyword in node.keywords if keyword.arg}
            for argument in (one for one in node.args if isinstance(one, ast.Attribute | ast.IfExp)):
                for part in ast.walk(argument):
                    if isinstance(part, ast.Attribute) and getattr(part.value, "id", "") == "Reason":
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", Reason[part.attr], data


def test_every_reason_is_used_and_has_advice_that_fits_its_data() -> None:
    uses = list(raised())
    assert {reason for _, reason, _ in uses} == set(Reason) == set(ADVICE)
    for where, reason, data in uses:
        wanted = {name for _, name, _, _ in string.Formatter().parse(ADVICE[reason]) if name}
        assert wanted <= data, where


def test_advice_names_flags_that_exist() -> None:
    for advice in ADVICE.values():
        assert set(FLAG.findall(advice)) <= FLAGS
    assert all(FLAG.search(advice) or "vsr " in advice for advice in ADVICE.values())


def test_errors_and_notes_can_be_pickled() -> None:
    for sent in (OutputExistsError(Path("a.mkv")), UsageError("x", Reason.ONE_IMAGE, output="%d.png")):
        got = pickle.loads(pickle.dumps(sent))
        assert (str(got), got.reason, got.data, full(got)) == (str(sent), sent.reason, sent.data, full(sent))
    note = pickle.loads(pickle.dumps(Note("lost", Reason.LOST_BY_CODEC, codec="hevc")))
    assert note == "lost" and full(note) == "lost (--codec hevc keeps it)"
    assert full("a plain line") == "a plain line" and full(VsrError("it failed")) == "it failed"


def fails(command: click.Command, *arguments: object) -> tuple[str, str]:
    """What the library and what the command line say of a call."""
    with pytest.raises(VsrError) as refused:
        CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    return str(refused.value), full(refused.value)


def upscale_cases(film: Path, model: str, folder: Path) -> list[tuple[tuple[Any, ...], str]]:
    (folder / "there.mkv").touch()
    out = ("-o", folder / "out.mkv")
    return [
        ((film, "-o", folder / "there.mkv"), "exists: add -y to overwrite it, or give another -o"),
        ((film, "-o", film, "-y"), "is the input itself: give another -o"),
        ((film, *out, "--propagation", "exact", "--lookahead", 4), "leave out --lookahead"),
        ((film, *out, "--propagation", "stream"), "cannot stream: use --propagation window"),
        ((film, *out, "--codec", "ffv1", "--crf", 3), "ffv1 has no crf: leave --crf out"),
        ((film, *out, "--codec", "ffv1", "--preset", "fast"), "leave --preset out"),
        ((film, "-o", folder / "out.webm", "--codec", "h264"), "use --codec vp9 or av1, or -o out.mp4"),
        ((film, "-o", folder / "out.png"), f"write -o {folder / 'out-%08d.png'}"),
        ((film, *out, "--device", "cuda:77"), "use --device cpu"),
        ((film, "-o", folder / "%d.png"), "and is not empty: add -y to write the images there too, or give another -o"),
        ((film, "-o", folder / "new" / "%0999999999d.png"), "more than 20 digits: write it like out/%08d.png"),
        ((film, *out, "--start", "1e30"), "not a start: 1e+30 (it must be 0 or more and 1e+09 or less)"),
        ((film, *out, "--work-dir", film), "Not a directory"),
    ]


def test_errors_name_flags_on_the_command_line_only(film: Path, tiny_model: str, tmp_path: Path) -> None:
    for arguments, advice in upscale_cases(film, tiny_model, tmp_path):
        plain, whole = fails(upscale.command, *arguments, "-m", tiny_model)
        assert whole.startswith(plain) and whole.endswith(advice), whole
        assert not FLAG.search(plain.replace(str(tmp_path), "")), plain


def test_errors_of_evaluate_name_its_flags(tmp_path: Path) -> None:
    from tests.evaluate.make import clip

    clip(tmp_path / "GT" / "a")
    _, whole = fails(evaluate.command, "--data", tmp_path, "--degradation", "none", "-q", "--device", "cpu")
    assert whole.endswith("give --degradation bi or bd to make them")
