"""The notebook's network in NumPy as one would write it for speed: float32, no copies, results into their places.

Threads are the BLAS's: OPENBLAS_NUM_THREADS.
"""
import numpy as np

from peer import BATCH, load, median_time, report

SIZES = [784, 50, 100, 10]
RATE = np.float32(0.5)

x, labels = load("train")
targets = np.eye(10, dtype=np.float32)[labels]
random = np.random.RandomState(0)
weights = [(random.randn(a, b) / np.sqrt(a)).astype(np.float32) for a, b in zip(SIZES, SIZES[1:])]
biases = [np.zeros(b, np.float32) for b in SIZES[1:]]
values = [np.empty((BATCH, size), np.float32) for size in SIZES[1:]]
slopes = [np.empty((BATCH, size), np.float32) for size in SIZES[1:]]
d_weights = [np.empty_like(w) for w in weights]


def forward(batch):
    for layer, (w, b, y) in enumerate(zip(weights, biases, values)):
        np.dot(batch if layer == 0 else values[layer - 1], w, out=y)
        y += b
        if layer < 2:
            np.negative(y, out=y)
            np.exp(y, out=y)
            y += 1
            np.reciprocal(y, out=y)
    z = values[2]
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)


def backward(batch, target):
    np.subtract(values[2], target, out=slopes[2])
    slopes[2] *= np.float32(1 / BATCH)
    for layer in (2, 1, 0):
        below = batch if layer == 0 else values[layer - 1]
        np.dot(below.T, slopes[layer], out=d_weights[layer])
        if layer > 0:
            np.dot(slopes[layer], weights[layer].T, out=slopes[layer - 1])
            slopes[layer - 1] *= below
            slopes[layer - 1] *= 1 - below
        d_weights[layer] *= RATE
        weights[layer] -= d_weights[layer]
        biases[layer] -= RATE * slopes[layer].sum(axis=0)


def epoch():
    for first in range(0, len(x) - BATCH + 1, BATCH):
        forward(x[first:first + BATCH])
        backward(x[first:first + BATCH], targets[first:first + BATCH])


epoch()
accuracy = 0
for first in range(0, min(len(x), 5000), BATCH):
    forward(x[first:first + BATCH])
    accuracy += (values[2].argmax(1) == labels[first:first + BATCH]).mean() * BATCH / min(len(x), 5000)
assert accuracy > 0.2, f"the epoch before the timed one learnt nothing: {accuracy}"
report(f"NumPy {np.__version__}", {"train_notebook": median_time(epoch, 1)})
