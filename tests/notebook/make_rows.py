#!/usr/bin/env python3
"""Writes rows.txt: how NumPy prints rows of numbers, for tests/test_notebook.c to repeat.

    /usr/bin/python3 make_rows.py > rows.txt

A line is the numbers in full, "|", and NumPy's text of them with precision=2 and suppress=True.
"""
import numpy as np

CHOSEN = [
    [0.0], [1.0], [-0.0], [0.0] * 10, [1.0] * 10, [0.5], [0.25], [0.1, 1.0], [0.25, 1.0], [0.25, 0.5],
    # Ties and near ties: NumPy rounds the exact binary value.
    [0.005], [0.015], [0.025], [0.045], [0.125], [0.375], [0.625], [0.875], [0.995], [1.005], [0.285], [1.115], [0.985],
    [np.nextafter(0.125, 0)], [np.nextafter(0.125, 1)], [np.nextafter(0.375, 0)], [np.nextafter(0.375, 1)],
    [np.nextafter(0.005, 0)], [np.nextafter(0.005, 1)], [np.nextafter(0.995, 0)], [np.nextafter(0.995, 1)],
    # Hardly anything, hardly less than one.
    [0.004999], [0.0051], [1e-9], [5e-324], [1e-9] * 9 + [1.0], [1e-9] * 10, [0.9949], [0.9951], [1 - 1e-16], [0.99999999],
    [1e-5, 1e-7, 0.2], [1e-3, 0.999], [0.004, 0.006], [0.094, 0.096, 0.999],
    # Signs and widths.
    [-0.001], [-0.001, 0.5], [-1.0, 1.0], [-12.5, 3.0, 0.25], [10.0, 1.0], [123.456, 0.001], [-9.995, 9.995], [99.995],
    [1234567.0, 0.5], [9999999.5, -9999999.25], [1000000.0] * 7, [0.1] * 14,
]


def line(row):
    print(' '.join(repr(float(x)) for x in row) + '|' + str(np.array(row, dtype=float)))


np.set_printoptions(precision=2, suppress=True)
for row in CHOSEN:
    line(row)
random = np.random.RandomState(0)
for spread in [0.1, 1, 3, 10, 30]:  # softmax outputs, flat to steep
    for _ in range(8):
        e = np.exp(spread * random.randn(10))
        line(e / e.sum())
for places in [1, 2, 3]:  # short decimals, most of them ties at the last place
    for _ in range(20):
        line(random.randint(10**places, size=random.randint(1, 12)) / 10**places)
for _ in range(20):  # any magnitude
    line(random.randn(random.randint(1, 7)) * 10**random.uniform(-4, 5))
