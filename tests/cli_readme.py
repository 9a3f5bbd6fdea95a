"""The READMEs tell the truth: their commands run, their C is the example's, their links lead somewhere."""
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np

from helper import PROGRAM, check, environment, finish, folder, idx, read, write

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(PROGRAM).parent
READMES = {name: (ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md")}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def commands(text):
    """The commands of each sh block, their comments left out."""
    return [[re.sub(r"\s+#.*", "", line) for line in block.splitlines()] for block in blocks(text, "sh")]


def test_alike():
    english, chinese = READMES.values()
    check(len(commands(english)) == 3 and commands(english) == commands(chinese), "both READMEs have the same commands")
    check(len(blocks(english, "c")) == 1 and blocks(english, "c") == blocks(chinese, "c"), "and the same C")
    # \u79d2 is the Chinese for seconds.
    numbers = [re.findall(r"\d+\.\d+ ?(?:%|s|MB)", text.replace("\u79d2", "s")) for text in READMES.values()]
    check(numbers[0] == numbers[1], f"and the same numbers: {numbers}")


def test_links():
    documents = {**READMES, **{name: (ROOT / name).read_text() for name in ("CONTRIBUTING.md", "docs/design.md")}}
    for name, text in documents.items():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                check((ROOT / name).parent.joinpath(target).exists(), f"{name}: {target} exists")
        for script in re.findall(r"script/\w+", text):
            check(os.access(ROOT / script, os.X_OK), f"{name}: {script} is a program")


def test_tour(work):
    """The tour, on a small data set that bears the name of MNIST."""
    random = np.random.RandomState(0)
    os.makedirs(f"{work}/data/mnist")
    for name, count in (("train", 6000), ("t10k", 200)):
        labels = np.arange(count) % 10
        images = random.randint(0, 40, (count, 28, 28))
        images[np.arange(count)[:, None], (4 + 2 * labels)[:, None], 4:24] = 250
        write(f"{work}/data/mnist/{name}-images-idx3-ubyte", idx(images))
        write(f"{work}/data/mnist/{name}-labels-idx1-ubyte", idx(labels))
    shutil.copy(ROOT / "examples/digit.png", f"{work}/photo.png")
    os.mkdir(f"{work}/bin")
    os.symlink(PROGRAM, f"{work}/bin/inkling")
    env = environment(PATH=f"{work}/bin:{os.environ['PATH']}")
    tour = commands(READMES["README.md"])[1]
    check(len(tour) == 5, f"a tour of five lines: {tour}")
    for line in tour:
        done = subprocess.run(["sh", "-c", line], cwd=work, env=env, capture_output=True, text=True)
        check(done.returncode == 0 and done.stdout != "", f"{line}: {done}")


def test_c(work):
    """The C of the README is in the example, line by line, and the README's command compiles it."""
    lines = (ROOT / "examples/recognise.c").read_text()
    check(blocks(READMES["README.md"], "c")[0] in lines, "the README's C is part of examples/recognise.c")
    if b"__asan_init" in read(BUILD / "libinkling.a"):
        return  # the command is for the release build
    compile_line, run_line = commands(READMES["README.md"])[2]
    for name in ("examples", "include"):
        os.symlink(ROOT / name, f"{work}/{name}")
    os.makedirs(f"{work}/build")
    os.symlink(BUILD, f"{work}/build/release")
    for line in (compile_line, run_line):
        done = subprocess.run(["sh", "-c", line], cwd=work, env=environment(), capture_output=True, text=True)
        check(done.returncode == 0, f"{line}: {done}")
    check(re.fullmatch(r"\d: \d+\.\d%\n", done.stdout), f"{run_line}: {done.stdout!r}")


test_alike()
test_links()
with folder() as work:
    test_tour(work)
    test_c(work)
finish()
