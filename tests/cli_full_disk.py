"""A disk that fills up: every command that writes, on a small file system of its own which ends after so many pages or
files. What a limit on the size of files (cli_surroundings) cannot show: the system's own reason, and what a failed write leaves."""
import os
import subprocess
import sys

import numpy as np

from helper import check, check_run, finish, folder, make_data, png, read, run, write

PAGE = 4096
NET = "dense 20 relu, dense 10"
TRAIN = ("--net", NET, "--epochs", 1, "--quiet")

# In a mount namespace of its own, of which nothing is left when the test ends, however it ends.
if os.environ.get("INKLING_TEST_MOUNTS") != "own":
    apart = ["unshare", "--map-root-user", "--mount"]
    tried = subprocess.run([*apart, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"], capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"skipped: no file system can be mounted here: {tried.stderr.strip()}")
        sys.exit(77)
    os.execvpe(apart[0], [*apart, sys.executable, "-B", *sys.argv], os.environ | {"INKLING_TEST_MOUNTS": "own"})


def mount(path, options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)


def fill(path, free):
    """Writes until nothing more fits, and gives some pages back."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(PAGE))
        except OSError:
            file.truncate(file.tell() - free * PAGE)


def written(disk):
    """Every command that writes a file, and that file."""
    out = f"{disk}/out"
    yield ("train", "data", "-o", out, *TRAIN), out
    yield ("train", "data", "-o", out, "--save-every", 1, *TRAIN), out
    yield ("train", "data", "-o", "spare", "--report", out, *TRAIN), out
    yield ("train", "data", "-o", "spare", "--log", out, *TRAIN), None  # grows line by line
    yield ("train", "data", "-o", "spare", "--report", "page", "--log", out, *TRAIN), None
    yield ("convert", "data", "-o", f"{out}.npz"), f"{out}.npz"
    for ending in ("c", "onnx", "npz", "safetensors", "html"):
        yield ("export", "model", "-o", f"{out}.{ending}"), f"{out}.{ending}"
    yield ("export", "model", "--format", "int8", "--data", "data", "--max-drop", 100, "-o", f"{out}.safetensors"),\
        f"{out}.safetensors"
    yield ("import", "model.onnx", "-o", out), out
    yield ("report", "model", "--data", "data", "-o", out), out
    yield ("eval", "model", "data", "--report", out), out
    yield ("tune", "lr", "data", "--net", NET, "--svg", out, "--steps", 40), out


def check_full(work, disk, arguments, name, how):
    """On a full disk: the system's reason for the file in one line, the old file as it was, nothing else."""
    before = {file: read(f"{disk}/{file}") for file in os.listdir(disk)}
    done = run(*arguments, cwd=work)
    line = done.err.strip().splitlines()[-1:]
    check(done.code == 1 and line and f"{disk}/out" in line[0] and "No space left on device" in line[0],
          f"{arguments}, {how}: code {done.code}: {done.err[-300:]}")
    after = {file: read(f"{disk}/{file}") for file in os.listdir(disk)}
    if name is None:  # a log
        after.pop("out", None)
        before.pop("out", None)
    check(after == before, f"{arguments}, {how}: left {sorted(after)} of {sorted(before)}")


def test_pages(work, disk):
    """No page is free, or one, or all but one of those that are needed."""
    mount(disk, "size=1m")
    for arguments, name in written(disk):
        done = run(*arguments, cwd=work)
        if done.code == 1 and "built without" in done.err:
            continue
        check_run(done, 0)
        needed = sum(-(-os.path.getsize(f"{disk}/{file}") // PAGE) for file in os.listdir(disk))
        for file in os.listdir(disk):
            os.remove(f"{disk}/{file}")
        for free in sorted({0, 1, needed - 1} - {needed}):
            if name is not None:
                write(name, b"old")
            fill(f"{disk}/filler", free)
            check_full(work, disk, arguments, name, f"{free} of {needed} pages free")
            for file in os.listdir(disk):
                os.remove(f"{disk}/{file}")
    for arguments in (("predict", "model", "one.png"), ("show", "model"), ("report", "model", "--data", "data")):
        fill(f"{disk}/filler", 0)
        with open(f"{disk}/out", "wb") as out:
            done = run(*arguments, cwd=work, stdout=out)
        check(done.code == 1 and "No space left" in done.err, f"{arguments} into a full disk: {done.code} {done.err}")
    subprocess.run(["umount", disk], check=True)


def test_files(work, disk):
    """Pages enough, but no new file can be made."""
    mount(disk, "size=1m,nr_inodes=3")
    write(f"{disk}/filler", b"")
    for arguments, name in written(disk):
        write(name or f"{disk}/other", b"old")
        done = run(*arguments, cwd=work)
        if not (done.code == 1 and "built without" in done.err):
            check_full(work, disk, arguments, name, "no file free")
        os.remove(name or f"{disk}/other")
    subprocess.run(["umount", disk], check=True)


with folder() as place:
    make_data(f"{place}/data")
    write(f"{place}/one.png", png(np.eye(28) * 255))
    os.mkdir(f"{place}/disk")
    check_run(run("train", "data", "-o", "model", *TRAIN, cwd=place), 0)
    check_run(run("export", "model", "-o", "model.onnx", cwd=place), 0)
    test_pages(place, f"{place}/disk")
    test_files(place, f"{place}/disk")
finish()
