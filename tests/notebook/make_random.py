#!/usr/bin/env python3
"""Writes random.txt: what np.random.RandomState gives, draw by draw, for tests/test_random.c to repeat.

    /usr/bin/python3 make_random.py > random.txt

A line is one draw: "seed LOW HIGH" starts a generator, then "next", "double", "randint BOUND", "randn" or
"permutation COUNT", each with its result. Doubles are hexadecimal, and a permutation p is the checksum
h = 31 h + p[i], i ascending, modulo 2^64.
"""
import numpy as np

SEEDS = [(0, 0), (1, 0), (2, 0), (42, 0), (1234, 0), (20240229, 0), (2**31 - 1, 0), (2**31, 0), (2**32 - 1, 0),
         (0, 1), (5, 2**8), (1, 2**31), (2**32 - 1, 2**32 - 1)]
BOUNDS = [1, 2, 3, 10, 255, 256, 257, 60000, 2**31, 2**31 + 1, 2**32 - 1, 2**32]


def permutation(random, count):
    checksum = 0
    for value in random.permutation(count).tolist():
        checksum = (31 * checksum + value) % 2**64
    return checksum


def draws(random):
    def randint(bound):
        print('randint', bound, random.randint(bound))

    def randn(count):
        for _ in range(count):
            print('randn', random.randn().hex())

    randint(60000)  # then an odd number of normals, so that the cached one outlives the draws between
    randn(5)
    for bound in BOUNDS:
        randint(bound)
    print('double', random.random_sample().hex())
    randn(2)
    for count in [0, 1, 2, 10, 1000]:
        print('permutation', count, permutation(random, count))
    print('next', random.randint(2**32))
    print('permutation', 60000, permutation(random, 60000))
    randn(2)
    print('double', random.random_sample().hex())


for low, high in SEEDS:
    print('seed', low, high)
    # An integer seed ends at 2^32 - 1 in NumPy; beyond, its words are given as an array, the low one first.
    draws(np.random.RandomState([low, high] if high else low))
