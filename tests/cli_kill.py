"""Kills a training run by force at random moments, again and again: after each, --resume goes on, and the model is the one
of a run that nobody killed, byte for byte. A second argument says how many times; script/kill does it 200 times."""
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np

from helper import PROGRAM, check, check_run, environment, finish, folder, idx, read, run, write

TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 10
TRAIN = ["train", "data", "-o", "model", "--net", "conv 4 3x3, norm relu, pool 2, dropout 0.2, dense 10", "--epochs", 12,
         "--batch", 32, "--val", 100, "--augment", "shift 1", "--ema", 1, "--save-every", 3, "--no-test", "--quiet",
         "--threads", 2]


def make_data(path):
    random_numbers = np.random.RandomState(1)
    os.mkdir(path)
    write(f"{path}/train-images-idx3-ubyte", idx(random_numbers.randint(0, 256, (1100, 12, 12))))
    write(f"{path}/train-labels-idx1-ubyte", idx(random_numbers.randint(0, 10, 1100)))


def leftovers(work):
    """What a killed run may leave: checkpoint and model, whole, and one file that was being written."""
    names = set(os.listdir(work)) - {"data", "model", "model.checkpoint", "model.checkpoint.part", "model.part"}
    return [name for name in names if not re.fullmatch(r"model(\.checkpoint)?\.[0-9A-Za-z]{6}", name)]


def test_killed(work):
    make_data(f"{work}/data")
    begin = time.monotonic()
    check_run(run(*TRAIN, cwd=work), 0)
    whole, takes = read(f"{work}/model"), time.monotonic() - begin
    os.remove(f"{work}/model")
    kills = resumed = writing = ends = 0
    while kills < TIMES or not os.path.exists(f"{work}/model"):
        resume = os.path.exists(f"{work}/model.checkpoint")
        process = subprocess.Popen([PROGRAM, *map(str, TRAIN), *(["--resume"] if resume else [])], cwd=work,
                                   env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.wait(random.uniform(0, takes / 3) if kills < TIMES else 300)
        except subprocess.TimeoutExpired:
            process.kill()
        err = process.communicate()[1].decode()
        check(process.returncode in (0, -signal.SIGKILL), f"killed or done: {process.returncode} {err}")
        kills += process.returncode != 0
        resumed += resume
        writing += os.path.exists(f"{work}/model.checkpoint.part")
        check(not leftovers(work), f"files are left: {os.listdir(work)}")
        if process.returncode > 0:
            return
        if process.returncode == 0:
            ends += 1
            check(read(f"{work}/model") == whole, "killed and resumed: the same bytes")
            check(not os.path.exists(f"{work}/model.checkpoint"), "the checkpoint is gone when the model is saved")
            if kills < TIMES:
                os.remove(f"{work}/model")
    check(resumed > 0, "some runs went on from a checkpoint")
    check(not [name for name in os.listdir(work) if name.endswith(".part")], f"a .part is left: {os.listdir(work)}")
    print(f"{kills} kills, {writing} of them while a file was being written; {resumed} runs resumed, {ends} ended")


with folder() as work:
    test_killed(work)
finish()
