#!/usr/bin/env python3
"""Prints what the notebook prints after np.random.seed(N), for N = 0 to 99, each after a line "seed N".

    /usr/bin/python3 make_table.py made > made.txt
    /usr/bin/python3 make_table.py /usr/share/datasets/fashion-mnist > fashion-mnist.txt
    /usr/bin/python3 make_table.py FOLDER_OF_MNIST > mnist.txt

A folder holds the training set in IDX files, plain or gzipped. "made" is a data set of 200 images by formula, which any
machine has; tests/test_notebook.c and tests/cli_notebook.py make the same.
"""
import gzip
import os
import sys

import numpy as np

SEEDS = 100


def made():
    hashed = np.arange(200 * 784, dtype=np.uint64) * 2654435761 % 2**32
    return (hashed >> 24).astype(np.uint8).reshape(200, 28, 28), (np.arange(200) * 7 % 10).astype(np.uint8)


def idx(folder, name, header):
    """The bytes behind an IDX file's header."""
    path = os.path.join(folder, name)
    with open(path, 'rb') if os.path.exists(path) else gzip.open(path + '.gz') as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)


def training_set(folder):
    return idx(folder, 'train-images-idx3-ubyte', 16).reshape(-1, 28, 28), idx(folder, 'train-labels-idx1-ubyte', 8)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def forward(nn, x):
    y1 = sigmoid(x.dot(nn['w1']) + nn['b1'])
    y2 = sigmoid(y1.dot(nn['w2']) + nn['b2'])
    return softmax(y2.dot(nn['w3']) + nn['b3'])


def notebook(data, labels):
    i = np.random.randint(len(data))
    x = data[i] / np.float32(255)  # as PyTorch divides bytes: in float32
    shapes = {'w1': (784, 50), 'b1': (1, 50), 'w2': (50, 100), 'b2': (1, 100), 'w3': (100, 10), 'b3': (1, 10)}
    y = forward({name: np.random.randn(*shape) for name, shape in shapes.items()}, x)
    t = np.zeros(10)
    t[labels[i]] = 1
    e1 = 0.5 * np.sum((y - t)**2)
    e2 = -np.sum(t * np.log(y + 1e-7))
    print('t =', t)
    print('y =', y)
    print(f'e1 = {e1:5f}')
    print(f'e2 = {e2:5f}')


np.set_printoptions(precision=2, suppress=True)
pixels, labels = made() if sys.argv[1] == 'made' else training_set(sys.argv[1])
data = pixels.reshape(len(pixels), 784)
for seed in range(SEEDS):
    print('seed', seed)
    np.random.seed(seed)
    notebook(data, labels)
