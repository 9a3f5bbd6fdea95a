"""What the peers share: the data, decoded and shuffled before anything is timed, and how a result is told.

    PEER.py FOLDER IMAGES [...]

prints one JSON object: seconds by row, as in `inkling bench --json`, and the version of the library.
"""
import glob
import gzip
import json
import sys
import time

import numpy as np

BATCH = 100


def read_idx(name):
    path = sorted(glob.glob(f"{name}*ubyte") + glob.glob(f"{name}*.gz"))[0]
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        content = file.read()
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def load(split):
    """Images as float32 (N, 784) in [0, 1] and labels as int64, shuffled; `split` is "train" or "t10k"."""
    folder, count = sys.argv[1], int(sys.argv[2])
    images, labels = read_idx(f"{folder}/{split}-images"), read_idx(f"{folder}/{split}-labels")
    order = np.random.RandomState(0).permutation(len(images))[:count]
    return images[order].reshape(len(order), -1).astype(np.float32) / 255, labels[order].astype(np.int64)


def median_time(work, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


def report(version, rows):
    print(json.dumps({"version": version, "rows": rows}))
