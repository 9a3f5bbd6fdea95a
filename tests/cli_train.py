"""inkling train, from end to end: the log, the files it leaves, and that an interruption changes no byte."""
import glob
import hashlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import termios
import time

from helper import PROGRAM, check, check_run, environment, finish, folder, read, run, write

# So that a child's Ctrl-C is not ignored, whatever started this test.
signal.signal(signal.SIGINT, signal.default_int_handler)

SMALL = ["--net", "dense 12 relu, dense 10", "--lr", "0.01", "--init", "he"]


def digest(path):
    return hashlib.sha256(read(path)).hexdigest()


def test_end_to_end(work):
    model, log = f"{work}/model", f"{work}/log.jsonl"
    done = run("train", "synthetic", "-o", model, *SMALL, "--epochs", 3, "--val", 1000, "--log", log)
    check_run(done, 0, "training on synthetic: 9,000 images, 1,000 more for validation", "epoch 1/3", "epoch 3/3",
              "validation", f"saved {model}", "test accuracy", "95% interval")
    check("epoch" not in done.out and "\r" not in done.err, "progress is on stderr, a line an epoch off a terminal")
    check(sorted(os.listdir(work)) == ["log.jsonl", "model"], f"only model and log are left: {os.listdir(work)}")

    lines = [json.loads(line) for line in open(log)]
    check([line["event"] for line in lines] == ["start", "epoch", "epoch", "epoch", "end"], "the log's lines")
    start, epochs, end = lines[0], lines[1:-1], lines[-1]
    check(start["data"] == "synthetic" and start["images"] == 9000 and start["val"] == 1000 and start["epochs"] == 3 and
          start["learning_rate"] == 0.01 and start["network"] == "dense 12 relu, dense 10", f"the log's start: {start}")
    check([line["epoch"] for line in epochs] == [1, 2, 3], "epochs count from 1")
    keys = {"seconds", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second"}
    check(all(keys <= set(line) for line in epochs), f"the log's epochs: {epochs[0]}")
    check(epochs[-1]["loss"] < epochs[0]["loss"] and epochs[-1]["val_accuracy"] > 0.5, "it learns")
    result = json.loads(run("eval", model, "synthetic", "--json").out)
    check(abs(end["test_accuracy"] - result["accuracy"]) < 1e-9, "the test accuracy is what eval finds")

    # Threads, kernels, and what is printed change nothing; the seed does.
    variants = {"1 thread": ["--threads", 1], "3 threads": ["--threads", 3], "--quiet": ["--quiet"],
                "--no-test": ["--no-test"], "checkpoints": ["--save-every", 37]}
    for name, more in variants.items():
        again = run("train", "synthetic", "-o", f"{work}/again", *SMALL, "--epochs", 3, "--val", 1000, *more)
        check(again.code == 0 and digest(f"{work}/again") == digest(model), f"{name}: the same bytes; {again.err}")
    portable = run("train", "synthetic", "-o", f"{work}/again", *SMALL, "--epochs", 3, "--val", 1000,
                   env=environment(INKLING_KERNELS="portable"))
    check(portable.code == 0 and digest(f"{work}/again") == digest(model), "portable kernels: the same bytes")
    run("train", "synthetic", "-o", f"{work}/again", *SMALL, "--epochs", 3, "--val", 1000, "--seed", 1)
    check(digest(f"{work}/again") != digest(model), "another seed gives another model")
    quiet = run("train", "synthetic", "-o", f"{work}/again", *SMALL, "--epochs", 1, "--quiet", "--no-test", "--val", 0)
    check(quiet.err == "" and quiet.out.startswith("saved") and "accuracy" not in quiet.out, f"--quiet: {quiet.err}")
    os.remove(f"{work}/again")


def start(arguments, cwd):
    return subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=cwd, env=environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def wait_for_epochs(process, log, count):
    """Waits until the log tells of `count` more epochs, then some moment longer; or until the process ends."""
    def epochs():
        return read(log).count(b'"event":"epoch"') if os.path.exists(log) else 0
    enough = epochs() + count
    while epochs() < enough and process.poll() is None:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.01))


LONG = [*SMALL, "--epochs", 40, "--batch", 32]


def test_interrupted(work):
    """Stopped by signals at random moments and continued by the command that it prints, it gives the same bytes."""
    check_run(run("train", "synthetic", "-o", "whole", *LONG, cwd=work), 0)
    model, log = "it's a \"$model\"", f"{work}/log"  # the command that is printed must survive a shell
    stops = inside = 0
    process = start(["train", "synthetic", "--output", model, *LONG, "--log", "log"], work)
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        wait_for_epochs(process, log, random.randint(1, 8))
        process.send_signal(stop)
        err = process.communicate(timeout=300)[1].decode()
        if process.returncode == 0:  # this machine was too busy to send the signal in time
            break
        stops += 1
        batch = re.search(r"after batch (\d+) of (\d+) in epoch", err)
        inside += batch is not None and batch[1] != batch[2]
        check(process.returncode == 130 and os.path.exists(f"{work}/{model}.checkpoint") and
              not os.path.exists(f"{work}/{model}"), f"stopped: a checkpoint and no model: {process.returncode} {err}")
        command = re.search(r"to continue:\n    (.*)\n", err)
        check(command is not None and command[1].count(" --resume ") == 1, f"the command that continues: {err}")
        process = subprocess.Popen(["sh", "-c", "exec " + command[1] + " --threads 1"], cwd=work, env=environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.communicate(timeout=300)
    check(stops > 0 and inside > 0, f"a signal stops training inside an epoch: {stops} stops, {inside} inside")
    check(process.returncode == 0 and digest(f"{work}/{model}") == digest(f"{work}/whole"), "stopped: the same bytes")
    check(not os.path.exists(f"{work}/{model}.checkpoint"), "the checkpoint is gone when the model is saved")
    epochs = [json.loads(line)["epoch"] for line in open(log) if '"event":"epoch"' in line]
    check(epochs == list(range(1, 41)), f"the log goes on where it was: {epochs}")


def test_killed(work):
    """Killed by force at random moments, it goes on from the last periodic checkpoint to the same bytes."""
    check_run(run("train", "synthetic", "-o", "whole", *LONG, cwd=work), 0)
    kills, resume = 0, []
    for _ in range(3):
        process = start(["train", "synthetic", "-o", "m", *LONG, "--log", "log", "--save-every", 101, *resume], work)
        wait_for_epochs(process, f"{work}/log", random.randint(1, 8))
        process.kill()
        err = process.communicate()[1].decode()
        check(process.returncode in (0, -signal.SIGKILL), f"killed or done: {process.returncode} {err}")
        if process.returncode == 0:
            break
        kills += 1
        resume = ["--resume"] if os.path.exists(f"{work}/m.checkpoint") else []
    check(kills > 0 and resume, f"it was killed in the middle, {kills} times, and left a checkpoint")
    if os.path.exists(f"{work}/m.checkpoint"):
        check_run(run("train", "synthetic", "-o", "m", *LONG, "--resume", cwd=work), 0)
    check(digest(f"{work}/m") == digest(f"{work}/whole"), "killed: the same bytes")


def test_resume_errors(work):
    base = ["train", "synthetic", "-o", "model", *SMALL, "--epochs", 1, "--batch", 1]
    check_run(run(*base, "--resume", cwd=work), 1, "model.checkpoint")
    process = start([*base, "--save-every", 20], work)
    while not os.path.exists(f"{work}/model.checkpoint") and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    for path in glob.glob(f"{work}/*.part"):  # the checkpoint that it may have been writing
        os.remove(path)
    check(process.returncode == -signal.SIGKILL, "a checkpoint is saved in the middle of an epoch")
    checkpoint = read(f"{work}/model.checkpoint")
    resume = [*base, "--resume"]
    check_run(run(*resume, "--seed", 1, cwd=work), 3, "model.checkpoint", "seed")
    check_run(run(*resume, "--batch", 10, cwd=work), 3, "model.checkpoint", "batch")
    for name, content in (("cut", checkpoint[:-9]), ("empty", b""), ("other", b"{}" * 40)):
        write(f"{work}/model.checkpoint", content)
        check_run(run(*resume, cwd=work), 3, "model.checkpoint")
    check(os.listdir(work) == ["model.checkpoint"], f"a refused checkpoint leaves nothing behind: {os.listdir(work)}")
    done = run(*base, cwd=work)
    check_run(done, 0, "note: model.checkpoint is from an interrupted run")


def test_refusals(work):
    write(f"{work}/html-images-idx3-ubyte", b"<!DOCTYPE html>")
    write(f"{work}/html-labels-idx1-ubyte", b"<!DOCTYPE html>")
    cases = [
        (3, [f"{work}/html-images-idx3-ubyte", "-o", f"{work}/m", "--log", f"{work}/log"], ["html-images-idx3-ubyte"]),
        (1, ["mnits", "-o", f"{work}/m"], ["mnits", "mnist"]),
        (1, ["synthetic", "-o", "/proc/m"], ["/proc/m: cannot write there"]),
        (1, ["synthetic", "-o", f"{work}/none/m"], ["cannot write there"]),
        (1, ["synthetic", "-o", f"{work}/m", "--log", f"{work}/none/log"], ["none/log: cannot write"]),
        (1, ["synthetic", "-o", f"{work}/m", "--checkpoint", f"{work}/none/c"], ["none/c: cannot write there"]),
        (2, ["synthetic", "-o", f"{work}/m", "--net", "dense 10 sigmoyd, dense 10"], ["sigmoyd", "sigmoid"]),
        (2, ["synthetic", "-o", f"{work}/m", "--val", 10000], ["validation"]),
    ]
    before = sorted(os.listdir(work))
    for code, arguments, words in cases:
        done = run("train", *arguments)
        check_run(done, code, *words)
        check(done.out == "" and sorted(os.listdir(work)) == before, f"{arguments}: nothing is left behind")
    if os.geteuid() != 0:
        os.mkdir(f"{work}/locked", 0o500)
        check_run(run("train", "synthetic", "-o", f"{work}/locked/m"), 1, "locked/m: cannot write there")
    if os.path.exists("/dev/full"):
        done = run("train", "synthetic", "-o", f"{work}/m", *SMALL, "--epochs", 1, "--log", "/dev/full")
        check_run(done, 1, "/dev/full: cannot write the log", "saved")
        check(os.path.exists(f"{work}/m"), "a log that cannot be written does not cost the model")


def test_diverged(work):
    done = run("train", "synthetic", "-o", "m", "--net", "dense 30 relu, dense 30 relu, dense 10", "--optimizer", "sgd",
               "--lr", 1e5, "--init", "randn", cwd=work)
    check_run(done, 5, "inkling: ", "finite", "m.checkpoint")
    check(os.listdir(work) == ["m.checkpoint"], f"diverged: the checkpoint alone is left: {os.listdir(work)}")


def test_terminal(work):
    """On a terminal there is a progress bar, gone before an epoch's line, and narrower than the window."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen([PROGRAM, "train", "synthetic", "-o", f"{work}/m", *SMALL, "--epochs", "2"],
                               env=environment(LC_ALL="C.UTF-8"), stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not part:
            break
        text += part
    os.close(master)
    out = process.communicate()[0]
    bars = [part for part in text.decode().split("\r\x1b[K") if "left" in part]
    check(process.returncode == 0 and bars and out.startswith(b"saved"), f"training on a terminal: {text.decode()}")
    check(all(len(bar) < 80 and "loss" in bar and "acc" in bar and "/s" in bar for bar in bars), f"the bars: {bars}")
    check("\r\x1b[Kepoch 1/2  loss" in text.decode(), "the bar is taken off before an epoch's line")


def test_patience(work):
    done = run("train", "synthetic", "-o", "m", *SMALL, "--epochs", 500, "--patience", 1, "--lr", 0.05, cwd=work)
    check_run(done, 0, "saved m")
    check("epoch 500/500" not in done.err and "no better validation accuracy" in done.err, "patience ends a run early")


def test_closed_output(work):
    """With stdout or stderr closed, the log gets the first free file number; what is printed must not land in it."""
    for closed, code in ((">&-", 1), ("2>&-", 0)):
        done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {closed}', PROGRAM, "train", "synthetic", "-o", "m", *SMALL,
                               "--epochs", "1", "--log", "log"], cwd=work, env=environment(), capture_output=True)
        check(done.returncode == code, f"train {closed}: {done}")
        check(all(line.startswith("{") for line in open(f"{work}/log")), f"{closed}: the log holds JSON alone")
        check(os.path.exists(f"{work}/m"), f"{closed}: the model is saved all the same")


for test in (test_end_to_end, test_interrupted, test_killed, test_resume_errors, test_refusals, test_diverged,
             test_terminal, test_patience, test_closed_output):
    with folder() as place:
        test(place)
finish()
