"""inkling bench: that it measures every row, on real and on made data; how fast is no matter here."""
import json

from helper import check, check_run, environment, finish, folder, idx, run, write

import numpy as np

ROWS = ["train_notebook", "train_lenet", "train_convnet", "latency_notebook", "latency_lenet", "latency_lenet_int8",
        "batches_notebook_int8", "evaluate_lenet", "load"]


def check_rows(result, expected, train, test):
    rows = {row["id"]: row for row in result["work"]}
    check(list(rows) == expected, f"bench --json: rows {list(rows)}, expected {expected}")
    check(result["train_images"] == train and result["test_images"] == test, f"bench --json: images of {result['data']}")
    for name, row in rows.items():
        check(0 < row["least"] <= row["seconds"] <= row["most"], f"bench --json: {name}: {row}")
        images = {"train": train, "latency": 1, "batches": 1000, "evaluate": test, "load": train + test}[name.split("_")[0]]
        check(row["images"] == images, f"bench --json: {name} took {row['images']} images, expected {images}")
        check((row["gflops"] > 0) == (name != "load"), f"bench --json: {name}: {row['gflops']} GFLOP/s")


def test_synthetic():
    done = run("bench", "--quick", "--json", "--data", "synthetic", "--threads", 1)
    check_run(done, 0)
    result = json.loads(done.out)
    check(result["threads"] == 1 and result["rounds"] == 1 and result["data"] == "synthetic", "bench --json: its options")
    check_rows(result, ROWS[:-1], 6000, 2000)


def test_files(path):
    """A small data set of files; two rounds, as text and as JSON."""
    for name, count in (("train", 300), ("t10k", 50)):
        write(f"{path}/{name}-images-idx3-ubyte", idx(np.random.RandomState(0).randint(0, 256, (count, 28, 28))))
        write(f"{path}/{name}-labels-idx1-ubyte", idx(np.arange(count) % 10))
    result = json.loads(run("bench", "--json", "--data", path, "--rounds", 2).out)
    check(result["rounds"] == 2, "bench --rounds")
    check_rows(result, ROWS, 300, 50)
    done = run("bench", "--quick", "--data", path, env=environment(INKLING_KERNELS="portable"))
    check_run(done, 0, "300 images to train, 50 to test", "kernels portable", "train notebook", "images/s", "load the data")


def test_wrong(path):
    check_run(run("bench", "--data", f"{path}/nothing"), 1, "nothing")
    check_run(run("bench", "--rounds", 0), 2, "--rounds")
    check_run(run("bench", "mnist"), 2)


test_synthetic()
with folder() as path:
    test_files(path)
    test_wrong(path)
finish()
