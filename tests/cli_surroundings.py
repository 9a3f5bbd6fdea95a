"""Surroundings that fail or are odd: full and forbidden places to write to, outputs that nobody reads, signals, locales,
paths, and sizes at both ends."""
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import numpy as np

from helper import PROGRAM, check, check_run, environment, finish, folder, idx, png, read, run, write

NET = "conv 2 3x3 relu, dense 2"
TRAIN = ("--net", NET, "--epochs", 1, "--batch", 8, "--val", 4, "--quiet")


def write_idx(path, pixels, labels):
    os.makedirs(path, exist_ok=True)
    for name in ("train", "t10k"):
        write(f"{path}/{name}-images-idx3-ubyte", idx(pixels))
        write(f"{path}/{name}-labels-idx1-ubyte", idx(labels))


def make_data(path, count=24, shape=(6, 6), classes=2):
    pixels = np.random.RandomState(count).randint(0, 256, (count, *shape))
    write_idx(path, pixels, np.arange(count) % classes)


def with_limit(limit, *arguments, cwd):
    """Runs with a limit on the bytes of a file, which fails a write as a full disk does: without it a signal would kill."""
    def set_limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return run(*arguments, cwd=cwd, preexec_fn=set_limit)


def written_by(stem):
    """Every command that writes a file, and the name of that file."""
    names = {ending: f"{stem}.{ending}" for ending in ("out", "npz", "c", "onnx", "safetensors")}
    out = names["out"]
    return [(("train", "data", "-o", out, *TRAIN), out), (("train", "data", "-o", "spare", "--report", out, *TRAIN), out),
            (("convert", "data", "-o", names["npz"]), names["npz"]),
            *((("export", "model", "-o", name), name) for ending, name in names.items() if ending != "out"),
            (("import", "model.onnx", "-o", out), out), (("report", "model", "--data", "data", "-o", out), out),
            (("eval", "model", "data", "--split", "train", "--report", out), out),
            (("tune", "lr", "data", "--net", NET, "--svg", out, "--steps", 40), out)]


def test_full(work):
    """No room for all of a file: exit code 1, the old file as it was, nothing else left."""
    before = set(os.listdir(work))
    for arguments, name in written_by("old"):
        write(f"{work}/{name}", b"old")
        with_limit(200, *arguments, cwd=work)  # what fails first is another file where there are two
        done = with_limit(200, *arguments, cwd=work)
        check(done.code == 1 and "File too large" in done.err, f"{arguments}: code {done.code}: {done.err[-300:]}")
        check(read(f"{work}/{name}") == b"old", f"{arguments}: what was there before is there: {read(f'{work}/{name}')[:50]}")
        os.remove(f"{work}/{name}")
        check(set(os.listdir(work)) == before, f"{arguments}: left {set(os.listdir(work)) - before}")
    for arguments, name in written_by("full"):
        os.symlink("/dev/full", f"{work}/{name}")
        done = run(*arguments, cwd=work)
        check(done.code in (1, 2) and name in done.err, f"{arguments}: code {done.code}: {done.err[-300:]}")
        check(os.path.islink(f"{work}/{name}"), f"{arguments}: a device stays what it is")
        os.remove(f"{work}/{name}")
        for spare in set(os.listdir(work)) - before:  # a model beside its report
            check(spare == "spare", f"{arguments}: left {spare}")
            os.remove(f"{work}/{spare}")
    for arguments in (("eval", "model", "data", "--split", "train"), ("predict", "model", "one.png"), ("show", "model"),
                      ("report", "model", "--data", "data"), ("recipes",), ("selftest", "--help")):
        with open("/dev/full", "wb") as full:
            done = run(*arguments, cwd=work, stdout=full)
        check(done.code == 1 and "No space left" in done.err,
              f"{arguments} on a full disk: {done.code} {done.err}")


def test_forbidden(work):
    """A folder in which nothing can be made, for root neither: one of the system's, of numbers."""
    place = "/proc/self/fd"
    for arguments, name in written_by(f"{place}/out"):
        done = run(*arguments, cwd=work)
        check(done.code in (1, 2) and os.path.splitext(name)[0] in done.err and len(done.err.splitlines()[-1]) < 1000,
              f"{arguments}: code {done.code}: {done.err[-300:]}")
    for arguments, name in written_by("missing/out"):
        done = run(*arguments, cwd=work)
        check(done.code in (1, 2) and os.path.splitext(name)[0] in done.err and not os.path.exists(f"{work}/missing"),
              f"{arguments}: code {done.code}: {done.err[-300:]}")
    if os.getuid() != 0:
        os.mkdir(f"{work}/locked", 0o500)
        check_run(run("train", "data", "-o", "locked/model", *TRAIN, cwd=work), 1, "locked/model", "Permission denied")


def test_unread(work):
    """A reader that goes away ends the program by SIGPIPE or with an error, at once."""
    for arguments in ("show model", "recipes", "train --help", "report model --data data"):
        process = subprocess.Popen([PROGRAM, *arguments.split()], cwd=work, env=environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.close()
        process.stderr.read()
        check(process.wait(60) in (0, 1, -signal.SIGPIPE), f"{arguments}, unread: {process.returncode}")


def test_signals(work):
    """Each signal that ends a program politely leaves a checkpoint, from which the same bytes come."""
    train = ["train", "data", "--net", NET, "--epochs", "400", "--batch", "2", "--val", "4", "--quiet"]
    check_run(run(*train, "-o", "whole", cwd=work), 0)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        process = subprocess.Popen([PROGRAM, *train, "--epochs", "1000000", "-o", name, "--save-every", "3"], cwd=work,
                                   env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while not os.path.exists(f"{work}/{name}.checkpoint") and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(getattr(signal, name))
        err = process.communicate(timeout=60)[1].decode()
        check(process.returncode == 130 and "to continue:" in err, f"{name}: {process.returncode} {err}")
        check(os.path.exists(f"{work}/{name}.checkpoint") and not os.path.exists(f"{work}/{name}"),
              f"{name}: a checkpoint and no model: {os.listdir(work)}")
        os.remove(f"{work}/{name}.checkpoint")


def test_locale(work):
    """Numbers are written and read with a point where the system's language has a comma."""
    locales = f"{work}/locales"
    os.mkdir(locales)
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{locales}/de_DE.UTF-8"], check=True, capture_output=True)
    # glibc never gives back what it makes of LOCPATH.
    german = environment(LOCPATH=locales, LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8", ASAN_OPTIONS="detect_leaks=0")
    comma = subprocess.run(["/usr/bin/printf", "%.1f", "0.5"], env=german, capture_output=True)
    check(b"," in comma.stdout + comma.stderr, f"this locale has a decimal comma: {comma}")
    os.mkdir(f"{work}/german")
    for env, place in ((environment(), "."), (german, "german")):
        for arguments in (("train", f"{work}/data", "-o", f"{place}/m", "--log", f"{place}/log", "--lr", "0.5", *TRAIN),
                          ("export", f"{place}/m", "-o", f"{place}/m.c"), ("export", f"{place}/m", "-o", f"{place}/m.onnx"),
                          ("report", f"{place}/m", "--data", f"{work}/data", "--format", "json", "-o", f"{place}/report")):
            check_run(run(*arguments, cwd=work, env=env), 0)
    for name in ("m", "m.c", "m.onnx"):
        check(read(f"{work}/{name}") == read(f"{work}/german/{name}"), f"{name}: the same bytes in any language")
    json.loads(read(f"{work}/german/report"))
    one = [run("show", "m", "--json", cwd=work, env=env).out for env in (environment(), german)]
    check(one[0] == one[1] and json.loads(one[0]), "show --json: the same in any language")


def test_paths(work):
    """Names that a shell, a message or a fixed buffer would stumble over."""
    names = ["a b", "a'b\"c", "a\nb", "$(touch gone)", "%s%n", "-", "\u00fc", "\x1b[31mred", "x" * 200]
    deep = "/".join(["y" * 200] * 19)  # 3,819 bytes below the folder
    os.makedirs(f"{work}/{deep}")
    for name in names + [deep + "/z"]:
        name = f"./{name}"
        os.makedirs(f"{work}/{name}", exist_ok=True)
        shutil.copytree(f"{work}/data", f"{work}/{name}/data")
        shutil.copy(f"{work}/one.png", f"{work}/{name}/one.png")
        check_run(run("train", f"{name}/data", "-o", f"{name}/m", *TRAIN, cwd=work), 0)
        for arguments in (("eval", f"{name}/m", f"{name}/data", "--split", "train"), ("predict", f"{name}/m", f"{name}/one.png"),
                          ("export", f"{name}/m", "-o", f"{name}/m.onnx"), ("import", f"{name}/m.onnx", "-o", f"{name}/i"),
                          ("export", f"{name}/m", "-o", f"{name}/m.c", "--name", "net"),
                          ("verify", f"{name}/m", f"{name}/m.c", f"{name}/data"),
                          ("report", f"{name}/m", "--data", f"{name}/data", "-o", f"{name}/page"), ("show", f"{name}/data")):
            done = run(*arguments, cwd=work)
            check(done.code == 0, f"{arguments[0]} in {name[:40]!r}: {done.code} {done.err[-300:]}")
        missing = run("show", f"{name}/nothing", cwd=work)
        check(missing.code in (1, 3) and len(missing.err) < 1200, f"{name[:40]!r}: {missing.code} {missing.err}")
    check(not os.path.exists(f"{work}/gone"), "no shell has seen a name")
    long = "z" * 5000
    for arguments in (("show", long), ("train", long, "-o", "m"), ("train", "data", "-o", long, *TRAIN)):
        done = run(*arguments, cwd=work)
        check(done.code in (1, 2, 3) and len(done.err) < 6000 and done.err.startswith("inkling: "),
              f"a name of 5,000 bytes: {done.code} {done.err[-200:]}")
    shutil.rmtree(f"{work}/{'y' * 200}")


def test_sizes(work):
    """The least and the most of everything; what cannot be done is refused in a line."""
    least = ("--epochs", 1, "--val", 0, "--quiet")
    write_idx(f"{work}/single", np.zeros((1, 1, 1)), np.zeros(1))
    write_idx(f"{work}/tiny", np.arange(8).reshape(8, 1, 1) * 30, np.arange(8) % 2)
    large = np.zeros((2, 512, 512, 3))
    large[1] = 255
    write_idx(f"{work}/large", large, np.arange(2))
    write_idx(f"{work}/thousand", np.arange(2000).reshape(2000, 1, 1) % 256 * np.ones((1, 4, 4)), np.arange(2000) % 256)
    os.makedirs(f"{work}/classes")
    write(f"{work}/thousand.csv", b"".join(b"%d,%d,0,0,0\n" % (i % 1000, i % 256) for i in range(2000)))
    for arguments, code in (
            (("tiny", "--net", "dense 2", "--batch", 1), 0), (("tiny", "--net", "dense 2", "--batch", 8), 0),
            (("single", "--net", "dense 2", "--batch", 1), 0),
            (("tiny", "--net", "dense 2", "--batch", 0), 2), (("tiny", "--net", "dense 2", "--batch", 9), 0),
            (("tiny", "--net", "dense 2", "--batch", 2 ** 40), 2),
            (("tiny", "--net", "conv 2 3x3, dense 2"), 2), (("tiny", "--net", "dense 2", "--threads", 10000), 2),
            (("tiny", "--net", "dense 2", "--epochs", 2 ** 62), 2), (("tiny", "--net", "dense 2", "--val", 8), 2),
            (("tiny", "--net", "dense 2", "--threads", -1), 2),
            (("large", "--net", "pool 8, dense 2", "--batch", 2), 0), (("large", "--net", "conv 2 3x3 stride 4 relu, dense 2"), 0),
            (("thousand.csv", "--net", "dense 8 relu, dense 1000"), 0), (("thousand", "--net", "dense 256"), 0)):
        done = run("train", arguments[0], "-o", "sized", *least, *arguments[1:], cwd=work)
        check(done.code == code, f"train {arguments}: code {done.code}, expected {code}: {done.err[-300:]}")
        if code == 0:
            check_run(run("eval", "sized", arguments[0], "--split", "train", cwd=work), 0, "accuracy")
    one = [run("train", "data", "-o", "sized", *TRAIN, "--threads", n, cwd=work).code or read(f"{work}/sized") for n in (1, 1024)]
    check(one[0] == one[1], "1,024 threads: the same bytes as of one")


def test_many_images(work):
    """2^20 images, of which a step sees few: they are mapped, not copied."""
    count = 1 << 20
    write_idx(f"{work}/many", (np.arange(count * 4, dtype=np.uint32) * 2654435761 >> 24).reshape(count, 2, 2), np.arange(count) % 2)
    check_run(run("train", "many", "-o", "counted", "--net", "dense 2", "--epochs", 1, "--batch", 4096, "--val", 0, "--quiet",
                  cwd=work), 0)
    check_run(run("eval", "counted", "many", "--split", "train", cwd=work), 0, "1,048,576 images")
    shutil.rmtree(f"{work}/many")


with folder() as place:
    make_data(f"{place}/data")
    write(f"{place}/one.png", png(np.eye(6) * 255))
    check_run(run("train", "data", "-o", "model", *TRAIN, cwd=place), 0)
    check_run(run("export", "model", "-o", "model.onnx", cwd=place), 0)
    for test in (test_full, test_forbidden, test_unread, test_signals, test_locale, test_paths, test_sizes, test_many_images):
        begin = time.monotonic()
        test(place)
        print(f"{test.__name__}: {time.monotonic() - begin:.1f} s")
finish()
