"""Memory limits of containers, cluster jobs and processes are found: real ones, and folders like the kernel's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from vsrcli.engine.memory import group_rooms, room

GIB = 1 << 30
linux = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
V2, V1 = "cgroup2 cgroup2 rw", "cgroup cgroup rw,memory"


def lay_out(root: Path, *, name: str, top: str = "/", kind: str = V2, mount: str = "/sys/fs/cgroup") -> Path:
    """Write the files of /proc for one hierarchy and return the folder where it is mounted."""
    process = root / "proc/self"
    process.mkdir(parents=True, exist_ok=True)
    with (process / "cgroup").open("a") as file:
        file.write(f"0::{name}\n" if kind == V2 else f"12:cpu,cpuacct:/elsewhere\n4:memory:{name}\n")
    with (process / "mountinfo").open("a") as file:
        escaped = mount.replace(" ", "\\040")
        file.write("22 1 0:5 / /proc rw - proc proc rw\n36 23 0:32 / /other rw - cgroup cgroup rw,cpu,cpuacct\n")
        file.write(f"35 23 0:31 {top} {escaped} rw,relatime shared:7 - {kind}\n")
    return root / mount.lstrip("/")


def group(folder: Path, **files: int | str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"memory.{name}").write_text(f"{content}\n")


def test_smallest_of_nested_version_2_groups_counts(tmp_path: Path) -> None:
    mount = lay_out(tmp_path, name="/slurm/job_7/step_0")
    group(mount / "slurm/job_7/step_0", max="max", current=GIB // 4, stat="")
    group(mount / "slurm/job_7", max=2 * GIB, current=GIB // 2, stat="anon 7\nactive_file 0\ninactive_file 0")
    group(mount / "slurm", max=100 * GIB, high=GIB, current=3 * GIB // 4)
    assert list(group_rooms(tmp_path)) == [3 * GIB // 2, GIB // 4]


def test_cached_files_do_not_count_as_used(tmp_path: Path) -> None:
    mount = lay_out(tmp_path, name="/job")
    group(mount / "job", max=GIB, current=GIB, stat=f"inactive_file {GIB // 4}\nactive_file {GIB // 8}\nshmem 99")
    assert list(group_rooms(tmp_path)) == [GIB // 4 + GIB // 8]


@pytest.mark.parametrize(
    ("name", "top"), [("/docker/abc", "/docker/abc"), ("/", "/"), ("/", "/docker/abc"), ("/../x", "/")]
)
@pytest.mark.parametrize("kind", [V1, V2])
def test_a_container_sees_its_own_group_at_the_mount(tmp_path: Path, name: str, top: str, kind: str) -> None:
    mount = lay_out(tmp_path, name=name, top=top, kind=kind)
    group(mount, max=GIB, current=5, limit_in_bytes=GIB, usage_in_bytes=5)
    assert list(group_rooms(tmp_path)) == [GIB - 5]


def test_version_1_reports_limits_above_the_container(tmp_path: Path) -> None:
    mount = lay_out(tmp_path, name="/kube/pod/box", top="/kube/pod/box", kind=V1)
    stat = f"hierarchical_memory_limit {GIB}\ntotal_inactive_file {GIB // 8}\ninactive_file 1"
    group(mount, limit_in_bytes=9223372036854771712, usage_in_bytes=GIB // 2, stat=stat)
    assert list(group_rooms(tmp_path)) == [GIB // 2 + GIB // 8]


def test_groups_without_limit_are_ignored(tmp_path: Path) -> None:
    first = lay_out(tmp_path, name="/user.slice", kind=V1, mount="/sys/fs/cgroup/my memory")
    group(first / "user.slice", limit_in_bytes=9223372036854771712, usage_in_bytes=GIB)
    second = lay_out(tmp_path, name="/user.slice", mount="/sys/fs/cgroup/unified")
    group(second / "user.slice", max="max", current=GIB)
    assert list(group_rooms(tmp_path)) == []
    assert room(root=tmp_path).bound == "are free on this machine"
    group(first, limit_in_bytes=2, usage_in_bytes=1)
    group(second, max=5, current=1)
    assert sorted(group_rooms(tmp_path)) == [1, 4]


def test_a_group_above_its_limit_leaves_nothing(tmp_path: Path) -> None:
    group(lay_out(tmp_path, name="/job") / "job", max=GIB, current=2 * GIB)
    assert list(group_rooms(tmp_path)) == [0]
    if sys.platform == "linux":
        found = room(root=tmp_path)
        assert (found.size, found.bound) == (0, "the container or cluster job may still take")


@pytest.mark.parametrize("file", ["cgroup", "mountinfo"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\n", b"::\n4:memory\n - cgroup2\n1 2 3 - cgroup2 a b\n"])
def test_missing_proc_files_count_as_no_limit(tmp_path: Path, file: str, content: bytes | None) -> None:
    group(lay_out(tmp_path, name="/job") / "job", max=GIB, current=1)
    path = tmp_path / "proc/self" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert list(group_rooms(tmp_path)) == []


@pytest.mark.parametrize("content", ["", "many", "-5", "\x00"])
def test_damaged_numbers_count_as_no_limit(tmp_path: Path, content: str) -> None:
    group(lay_out(tmp_path, name="/job") / "job", max=content, current=content, stat=content)
    assert list(group_rooms(tmp_path)) == []


ROOM = "from vsrcli.engine.memory import room; print(room().size, room().bound)"


def ask(setup: str) -> tuple[int, str]:
    """Return the room of a new process that runs `setup` first."""
    done = subprocess.run([sys.executable, "-c", f"{setup}\n{ROOM}"], check=True, capture_output=True, text=True)
    size, _, bound = done.stdout.strip().partition(" ")
    return int(size), bound


@linux
@pytest.mark.parametrize(("limit", "bound"), [("RLIMIT_AS", "address space"), ("RLIMIT_DATA", "data segment")])
def test_limits_of_the_process_are_found(limit: str, bound: str) -> None:
    size, said = ask(f"import resource; resource.setrlimit(resource.{limit}, ({GIB}, {GIB}))")
    assert 0.8 * GIB < size < GIB
    assert bound in said


@pytest.fixture
def real_group() -> Iterator[Path]:
    """Create a control group of 256 MiB inside one of 128 MiB."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    base, limit = (v1, "memory.limit_in_bytes") if v1.is_dir() else (v2, "memory.max")
    outer = base / f"vsr-test-{os.getpid()}"
    made = []
    try:
        for folder, size in ((outer, GIB // 8), (outer / "inner", GIB // 4)):
            folder.mkdir()
            made.append(folder)
            if base == v2:
                (folder.parent / "cgroup.subtree_control").write_text("+memory")
            (folder / limit).write_text(str(size))
        yield made[-1]
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    finally:
        for folder in reversed(made):
            folder.rmdir()


@linux
def test_real_control_group_is_found(real_group: Path) -> None:
    size, bound = ask(f"import os; open('{real_group}/cgroup.procs', 'w').write(str(os.getpid()))")
    assert 0.5 * GIB / 8 < size < GIB / 8
    assert bound == "the container or cluster job may still take"


def test_without_limits_the_machine_s_free_memory_counts() -> None:
    assert 0 < room().size <= psutil.virtual_memory().total
