"""`vsr web` over HTTP, from a real server on the loopback: who may ask, for what, and a file's whole way through it."""

import http.client
import json
import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import av
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from tests.media import make
from vsrcli.web.server import Site

SECONDS = 60.0


class Client:
    """Asks the page as a browser would."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def __call__(self, method: str, path: str, given: Any = None) -> tuple[int, Any]:
        body = given if isinstance(given, bytes) else None if given is None else json.dumps(given).encode()
        status, found, _ = self.raw(method, f"/{self.site.token}/{path}", body)
        return status, json.loads(found) if found[:1] in (b"{", b"[") else found

    def news(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read server-sent events until one says what is waited for."""
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        ends = time.monotonic() + SECONDS
        try:
            connection.request("GET", f"/{self.site.token}/events")
            answer = connection.getresponse()
            assert answer.headers["content-type"].startswith("text/event-stream")
            while time.monotonic() < ends:
                line = answer.readline()
                if line.startswith(b"data: "):
                    found: dict[str, Any] = json.loads(line[6:])
                    if until(found):
                        return found
        finally:
            connection.close()
        raise AssertionError("what was waited for has not come")

    def job(self, number: int, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of some states, and return it."""

        def one(news: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = next(job for job in news["jobs"] if job["number"] == number)
            return found

        return one(self.news(lambda news: one(news)["state"] in states))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.mp4").write_bytes(b"not yours")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def ask(root: Path) -> Iterator[Client]:
    site = Site(root)
    thread = threading.Thread(target=site.run)
    thread.start()
    try:
        yield Client(site)
    finally:
        site.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


def clip(path: Path, frames: int = 4) -> Path:
    return make.video(path, frames=frames, width=32, height=32)


@pytest.mark.parametrize(
    "path", ["/", "/list", "/wrong/", "/wrong/events", "/favicon.ico", "//", "/%00/", "/wrong/../list"]
)
def test_without_the_token_there_is_nothing(ask: Client, path: str) -> None:
    status, body, headers = ask.raw("GET", path)
    assert status == 403 and ask.site.token.encode() not in body
    assert "content-security-policy" in headers


def test_other_names_of_this_machine_and_other_pages_are_refused(ask: Client) -> None:
    address = f"/{ask.site.token}/about"
    port = ask.site.port
    good = [{"Host": f"127.0.0.1:{port}"}, {"Host": f"localhost:{port}"}, {"Origin": f"http://127.0.0.1:{port}"}]
    bad = [{"Host": "evil.example"}, {"Host": f"evil.example:{port}"}, {"Host": "127.0.0.1"}, {"Host": ""}]
    bad += [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"https://127.0.0.1:{port}"}]
    assert [ask.raw("GET", address, headers=headers)[0] for headers in good] == [200] * len(good)
    assert [ask.raw("GET", address, headers=headers)[0] for headers in bad] == [403] * len(bad)


def test_it_listens_on_the_loopback_alone(ask: Client) -> None:
    import psutil

    listening = [c.laddr for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listening if address.port == ask.site.port] == ["127.0.0.1"]


def test_the_page_and_its_parts_are_served_and_nothing_else(ask: Client) -> None:
    for name in ("", "style.css", "page.js", "views.js", "slider.js", "slider.css"):
        status, body = ask("GET", name)
        assert status == 200 and len(body) > 100
    for name in ("app.py", "__init__.py", "..%2fapi.py", "page.html%00", "nothing"):
        assert ask("GET", name)[0] in (403, 404)
    _, _, headers = ask.raw("GET", f"/{ask.site.token}/")
    assert (
        headers["referrer-policy"] == "no-referrer" and "frame-ancestors 'none'" in headers["content-security-policy"]
    )


@pytest.mark.parametrize(
    "written",
    [
        "../secret.mp4", "..", "a/../../secret.mp4", "/etc/passwd", "out.mp4", "outside", "outside/secret.mp4", "\0",
        "\ud800.mp4",
        "..\\secret.mp4", "C:/Windows", "C:secret.mp4", ".hidden", "deep/link.mp4", "%2e%2e/secret.mp4", "//etc",
    ],
)  # fmt: skip
def test_no_path_leads_outside_not_by_links_either(ask: Client, root: Path, written: str) -> None:
    (root / "out.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "outside").symlink_to(root.parent)
    (root / "deep").mkdir()
    (root / "deep" / "link.mp4").symlink_to("../../secret.mp4")
    (root / ".hidden").write_bytes(b"x")
    named = quote(written, errors="surrogatepass")
    for method, path, body in (
        ("GET", f"list?path={named}", None),
        ("GET", f"info?path={named}", None),
        ("POST", "jobs", {"path": written}),
        ("POST", "trials", {"path": written}),
    ):
        status, found = ask(method, path, body)
        assert "not yours" not in str(found) and str(root.parent) not in str(found)
        absent = written.startswith("%2e") or (method == "GET" and "\ud800" in written)  # a name, of nothing
        assert status in ((400, 404) if absent else (403,)), (method, path, status)


def test_a_folder_shows_what_is_of_use_and_no_link_outside(ask: Client, root: Path) -> None:
    clip(root / "b10.mkv")
    clip(root / "b9.mkv")
    (root / "notes.txt").write_text("x")
    (root / "b9_x4.mkv.vsr").mkdir()
    (root / "out.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "inside.mkv").symlink_to(root / "b9.mkv")
    (root / "frames").mkdir()
    status, found = ask("GET", "list?path=")
    assert status == 200
    shown = [(one["kind"], one["name"], one["path"]) for one in found["entries"]]
    assert shown == [
        ("folder", "frames", "frames"), ("video", "b9.mkv", "b9.mkv"), ("video", "b10.mkv", "b10.mkv"),
        ("video", "inside.mkv", "b9.mkv"),
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_hides_no_other(ask: Client, root: Path) -> None:
    clip(root / "a.mkv")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.mkv")).write_bytes(b"x")
    status, found = ask("GET", "list?path=")
    assert status == 200 and [one["name"] for one in found["entries"]] == ["a.mkv"]


def test_a_result_is_not_written_through_a_link(ask: Client, root: Path) -> None:
    clip(root / "a.mkv")
    (root / "a_x4.mkv").symlink_to(root.parent / "new.mkv")  # leads to nothing yet
    _, found = ask("POST", "jobs", {"path": "a.mkv", "options": {"model": "repvsr.real"}})
    job = ask.job(found["number"], "failed", "done")
    assert job["state"] == "failed" and not (root.parent / "new.mkv").exists()


def test_an_upload_becomes_a_result_to_download(ask: Client, root: Path, tmp_path: Path) -> None:
    data = clip(tmp_path / "film.mkv").read_bytes()
    status, found = ask("PUT", f"upload?name={quote('Film 1.mkv')}", data)
    assert (status, found) == (201, {"path": "uploads/Film 1.mkv"})
    assert (root / "uploads" / "Film 1.mkv").read_bytes() == data
    status, about = ask("GET", f"info?path={quote(found['path'])}")
    assert (about["width"], about["frames"]) == (32, 4)
    status, made = ask("POST", "jobs", {"path": found["path"], "options": {"model": "repvsr.real", "codec": "ffv1"}})
    assert status == 201
    job = ask.job(made["number"], "done", "failed")
    assert job["state"] == "done", job
    assert (job["output"], job["size"], job["done"]) == ("uploads/Film 1_x4.mkv", [128, 128], 4)
    status, body, headers = ask.raw("GET", f"/{ask.site.token}/jobs/{made['number']}/result")
    assert status == 200 and headers["content-disposition"].startswith("attachment")
    (tmp_path / "got.mkv").write_bytes(body)
    with av.open(str(tmp_path / "got.mkv")) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(128, 128)] * 4
    assert not list(root.rglob("*.vsr")) and not list(root.rglob("*.part"))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../up.mp4", "up.mp4"), ("..\\..\\up.mp4", "up.mp4"), ("/etc/up.mp4", "up.mp4"), ("a\0b.mp4", "a_b.mp4"),
        ("CON.mp4", None), ("x.py", None), ("", None), (".mp4", None), ("..", None), (".bashrc", None),
        ("\u00e4" * 300 + ".mp4", "\u00e4" * 88 + ".mp4"),
    ],
)  # fmt: skip
def test_an_uploads_name_is_a_plain_one(ask: Client, root: Path, name: str, kept: str | None) -> None:
    status, found = ask("PUT", f"upload?name={quote(name)}", b"data")
    files = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    if kept is None:
        assert status == 400 and "no video" in found["error"] and not files
    else:
        assert status == 201 and files == [f"uploads/{kept}"]


def test_an_upload_replaces_nothing_and_one_cut_off_leaves_nothing(ask: Client, root: Path) -> None:
    assert ask("PUT", "upload?name=a.mp4", b"one")[1] == {"path": "uploads/a.mp4"}
    second = ask("PUT", "upload?name=a.mp4", b"two")[1]["path"]
    assert second != "uploads/a.mp4" and (root / "uploads" / "a.mp4").read_bytes() == b"one"
    assert ask("PUT", "upload?name=b.mp4", b"")[0] == 400
    connection = http.client.HTTPConnection("127.0.0.1", ask.site.port, timeout=30)
    connection.putrequest("PUT", f"/{ask.site.token}/upload?name=c.mp4")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"some")
    ends = time.monotonic() + 30
    begun = root / "uploads" / "c.mp4.part"
    while not begun.exists():
        assert time.monotonic() < ends
        time.sleep(0.01)
    connection.close()
    while begun.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert sorted(path.name for path in (root / "uploads").iterdir()) == sorted(["a.mp4", Path(second).name])


def test_uploads_do_not_follow_a_link_outside(ask: Client, root: Path) -> None:
    (root / "uploads").symlink_to(root.parent)
    assert ask("PUT", "upload?name=a.mp4", b"one")[0] == 403
    assert not (root.parent / "a.mp4").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"model": "/etc/passwd"}, {"model": "../tiny.safetensors"}, {"model": 3}, {"threads": 99}, {"codec": "x"},
        {"height": -1}, {"fps": float("inf")}, {"crf": float("nan")}, {"height": 10**400},
        {"crf": "x"}, {"deinterlace": "maybe"}, {"detelecine": True, "deinterlace": "double"}, [], "x",
        {"encoder_opt": ["x=y"]}, {"device": "cuda"},
    ],
)  # fmt: skip
def test_only_some_options_may_be_asked_for(ask: Client, root: Path, options: Any) -> None:
    clip(root / "a.mkv")
    status, found = ask("POST", "jobs", {"path": "a.mkv", "options": options})
    assert status == 400 and found["error"] and "\n" not in found["error"]
    assert ask("POST", "jobs", b"nonsense")[0] == 400


def test_a_result_that_exists_is_told_with_what_to_tick(ask: Client, root: Path) -> None:
    clip(root / "a.mkv")
    clip(root / "a_x4.mkv")
    _, found = ask("POST", "jobs", {"path": "a.mkv", "options": {"model": "repvsr.real"}})
    assert ask.job(found["number"], "failed")["text"].endswith("exists: tick “Replace a result that exists”")
    assert ask("POST", "jobs/99/pause")[0] == 409 and ask("POST", "jobs/1/burn")[0] == 404


def test_what_waits_is_put_first_paused_stopped_and_removed(ask: Client, root: Path) -> None:
    clip(root / "0.mkv", frames=300)
    numbers = []
    for number in range(4):
        if number:
            clip(root / f"{number}.mkv")
        numbers.append(ask("POST", "jobs", {"path": f"{number}.mkv", "options": {"model": "repvsr.real"}})[1]["number"])
    first, second, third, last = numbers
    ask.job(first, "running")
    assert [ask("POST", f"jobs/{first}/{action}")[0] for action in ("first", "remove", "continue")] == [409, 409, 409]
    assert ask("POST", f"jobs/{last}/first")[0] == ask("POST", f"jobs/{second}/pause")[0] == 204
    assert ask("POST", f"jobs/{third}/stop")[0] == 204
    jobs = ask.news(lambda news: True)["jobs"]
    assert [(job["number"], job["state"]) for job in jobs] == [
        (last, "waiting"), (first, "running"), (second, "paused"), (third, "stopped"),
    ]  # fmt: skip
    assert ask("POST", f"jobs/{third}/remove")[0] == ask("POST", f"jobs/{second}/continue")[0] == 204
    assert ask("POST", f"jobs/{first}/stop")[0] == 204
    assert ask.job(second, "done", "failed")["state"] == ask.job(last, "done", "failed")["state"] == "done"
    jobs = ask.news(lambda news: True)["jobs"]
    assert [(job["number"], job["state"]) for job in jobs] == [(last, "done"), (first, "stopped"), (second, "done")]
    assert ask("POST", f"jobs/{last}/pause")[0] == ask("POST", f"jobs/{last}/stop")[0] == 409


def test_all_videos_of_a_folder_become_jobs_of_their_own(ask: Client, root: Path) -> None:
    (root / "tapes" / "1994").mkdir(parents=True)
    (root / "tapes" / ".hidden").mkdir()
    clip(root / "tapes" / "a.mkv")
    make.video(root / "tapes" / "a.avi", frames=4, width=32, height=32, codec="mpeg4")
    clip(root / "tapes" / "1994" / "b.mkv")
    clip(root / "tapes" / ".hidden" / "c.mkv")
    (root / "tapes" / "notes.txt").write_text("no video")
    (root / "tapes" / "outside.mp4").symlink_to(root.parent / "secret.mp4")
    how = {"options": {"model": "repvsr.real", "square_pixels": True}, "place": "large"}
    status, made = ask("POST", "jobs/all", {"path": "tapes", "recursive": True, **how})
    assert status == 201
    jobs = [ask.job(number, "done", "failed") for number in made["numbers"]]
    assert {(job["path"], job["output"]) for job in jobs} == {
        ("tapes/a.mkv", "large/a.mkv"),
        ("tapes/a.avi", "large/a.avi"),
        ("tapes/1994/b.mkv", "large/1994/b.mkv"),
    }
    again = ask("POST", "jobs/all", {"path": "tapes", **how})[1]["numbers"]
    assert [ask.job(number, "skipped", "failed")["text"] for number in again] == [
        "large/a.avi is there already",
        "large/a.mkv is there already",
    ]
    assert ask("POST", "jobs/all", {"path": "large", "recursive": True})[1]["error"].startswith("no videos here")
    assert ask("POST", "jobs/all", {"path": "nowhere"})[0] == 404
    for place in ("..", "/tmp", ".hidden", "large/../.."):
        assert ask("POST", "jobs/all", {"path": "tapes", "place": place})[0] == 403
        assert ask("POST", "jobs", {"path": "tapes/a.mkv", "place": place})[0] == 403


def test_results_of_one_name_in_one_place_are_kept_apart(ask: Client, root: Path) -> None:
    for name in ("a.wmv", "a.mpg"):
        make.video(root / name, frames=4, width=32, height=32, codec="mpeg2video" if name == "a.mpg" else "wmv2")
    how = {"options": {"model": "repvsr.real", "overwrite": True}, "place": "large"}
    numbers = ask("POST", "jobs/all", {"path": "", **how})[1]["numbers"]
    outputs = [ask.job(number, "done", "failed")["output"] for number in numbers]
    assert outputs == ["large/a.mkv", "large/a.wmv.mkv"]
    assert all((root / output).exists() for output in outputs)


@pytest.mark.slow
def test_a_job_is_paused_at_a_frame_and_goes_on_with_the_same_frames(ask: Client, root: Path) -> None:
    clip(root / "a.mkv", frames=200)
    clip(root / "b.mkv", frames=200)
    how = {"model": "repvsr.real", "codec": "ffv1"}
    number = ask("POST", "jobs", {"path": "a.mkv", "options": how})[1]["number"]
    other = ask("POST", "jobs", {"path": "b.mkv", "options": how})[1]["number"]
    assert ask("POST", "jobs", {"path": "b.mkv", "options": how})[0] == 400  # it waits already
    ask.news(lambda news: news["jobs"][0]["done"] > 70)
    assert ask("POST", f"jobs/{number}/pause")[0] == 204
    paused = ask.job(number, "paused")
    assert 60 <= paused["done"] < 200 and "the first 60 frames are kept" in paused["text"]
    assert (root / "a_x4.mkv.vsr").is_dir()
    assert ask.job(other, "running", "done")["state"]  # what waits goes on meanwhile
    assert ask("POST", f"jobs/{number}/continue")[0] == 204
    assert ask("POST", f"jobs/{number}/continue")[0] == 409
    for one in (number, other):
        assert ask.job(one, "done", "failed")["state"] == "done"
    with av.open(str(root / "a_x4.mkv")) as one, av.open(str(root / "b_x4.mkv")) as two:
        pairs = zip(one.decode(video=0), two.decode(video=0), strict=True)
        assert sum(bytes(a.planes[0]) == bytes(b.planes[0]) for a, b in pairs) == 200


@pytest.mark.slow
def test_a_stopped_job_is_that_of_the_command_line(ask: Client, root: Path) -> None:
    from tests.command import vsr

    clip(root / "a.mkv", frames=150)
    number = ask("POST", "jobs", {"path": "a.mkv", "options": {"model": "repvsr.real"}})[1]["number"]
    ask.news(lambda news: news["jobs"][0]["done"] > 65)
    assert ask("POST", f"jobs/{number}/stop")[0] == 204
    assert ask.job(number, "stopped")["text"]
    done = vsr("upscale", root / "a.mkv", "-m", "repvsr.real", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["frames"] == 150 and report["frames_made"] < 150


def test_a_trial_shows_a_frame_before_and_after_and_says_how_long_it_takes(ask: Client, root: Path) -> None:
    clip(root / "a.mkv", frames=12)
    status, found = ask("POST", "trials", {"path": "a.mkv", "models": ["repvsr.real", "repvsr.bi"]})
    assert status == 201
    trial = ask.news(lambda news: news["trial"]["state"] in ("done", "failed"))["trial"]
    assert trial["state"] == "done", trial
    assert [one["model"] for one in trial["found"]] == ["repvsr.real", "repvsr.bi"]
    for one in trial["found"]:
        assert one["seconds"] > 0 and one["bytes"] > 0 and one["frames"] == 12 and one["size"] == [128, 128]
    pictures = [ask("GET", f"trials/{found['number']}/{n}.jpg")[1] for n in range(3)]
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures) and len(set(pictures)) == 3
    assert ask("GET", f"trials/{found['number']}/3.jpg")[0] == 404
    assert sorted(os.listdir(root)) == ["a.mkv"]  # noqa: PTH208


def test_the_command_says_in_a_line_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.command import vsr
    from vsrcli.cli import web

    monkeypatch.setattr(web, "NEEDED", ("starlette", "no_such_module_anywhere"))
    done = vsr("web", tmp_path)
    assert done.returncode == 2
    name = "no_such_module_anywhere"
    advice = f"run `pipx inject vsrcli {name}`, or `pip install {name}` where pip installed vsr"
    assert done.stderr == f"vsr: vsr web needs no_such_module_anywhere: {advice}\n"
    assert vsr("web", tmp_path / "nothing").returncode == 2


def test_the_command_serves_until_it_is_interrupted_and_counts_what_is_unfinished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.command import vsr

    clip(tmp_path / "a.mkv", frames=300)
    opened: list[str] = []
    answers: list[int] = []
    threads: list[threading.Thread] = []

    def visit() -> None:
        address = urlsplit(opened[0])
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        for request in (("GET", address.path), ("POST", f"{address.path}jobs", json.dumps({"path": "a.mkv"}))):
            connection.request(*request)
            answer = connection.getresponse()
            answer.read()
            answers.append(answer.status)
        connection.close()
        signal.raise_signal(signal.SIGINT)

    def show(address: str) -> bool:
        opened.append(address)
        threads.append(threading.Thread(target=visit))
        threads[0].start()
        return True

    monkeypatch.setattr(webbrowser, "open", show)
    done = vsr("web", tmp_path)
    threads[0].join()
    assert (done.returncode, answers) == (0, [200, 201])
    assert done.stderr == f"starting ...\n{opened[0]}\nopen this address in a browser on this machine; Ctrl-C ends\n"
    assert done.stdout == "1 job unfinished: what is made is kept, and goes on when started again\n"
