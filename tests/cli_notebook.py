#!/usr/bin/env python3
"""inkling notebook: its output, byte for byte, is what NumPy prints.

For 100 seeds and every data set that the machine has, the program's output is compared with the table in notebook/ and,
where NumPy is installed, with notebook/make_table.py run now.
"""
import difflib
import gzip
import importlib.util
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'notebook')
TRAINING = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte']
program = sys.argv[1]
passed = failed = 0


def check(name, found, expected):
    global passed, failed
    if found == expected:
        passed += 1
        return
    failed += 1
    print(f'FAILED: {name}')
    diff = difflib.unified_diff(str(expected).splitlines(), str(found).splitlines(), 'expected', 'found', lineterm='', n=1)
    print('\n'.join(list(diff)[:20]))


def notebook(*arguments):
    return subprocess.run([program, 'notebook', *arguments], capture_output=True, text=True, timeout=60)


def find(name):
    """The folder of a real data set, or None."""
    for parent in [os.environ.get('INKLING_DATA'), '/usr/share/datasets']:
        folder = parent and os.path.join(parent, name)
        if folder and all(os.path.exists(os.path.join(folder, file + '.gz')) for file in TRAINING):
            return folder
    return None


def write_idx(folder, rows, columns, pixels, labels):
    os.mkdir(folder)
    images, classes = (os.path.join(folder, name) for name in TRAINING)
    with open(images, 'wb') as file:
        file.write(struct.pack('>4I', 2051, len(labels), rows, columns) + pixels)
    with open(classes, 'wb') as file:
        file.write(struct.pack('>2I', 2049, len(labels)) + labels)


def unpack(source, folder):
    """Plain files, which the program maps: inflating them a hundred times would take longer than all the rest."""
    os.mkdir(folder)
    for name in TRAINING:
        with gzip.open(os.path.join(source, name + '.gz')) as file, open(os.path.join(folder, name), 'wb') as plain:
            plain.write(file.read())


def check_hundred_seeds(name, folder):
    found = ''
    for seed in range(100):
        result = notebook('--seed', str(seed), '--data', folder)
        found += f'seed {seed}\n{result.stdout}'
        if result.returncode != 0 or result.stderr:
            found += f'exit code {result.returncode}\n{result.stderr}'
    with open(os.path.join(HERE, name + '.txt')) as table:
        check(f'{name}: the committed table', found, table.read())
    if importlib.util.find_spec('numpy') is None:
        print(f'{name}: not compared with NumPy itself, which is not installed')
        return
    live = subprocess.run([sys.executable, '-B', os.path.join(HERE, 'make_table.py'), folder], capture_output=True,
                          text=True, timeout=300)
    check(f'{name}: NumPy itself', found, live.stdout + live.stderr)


def check_table_line(name, seed, result):
    """One seed's lines of the committed table."""
    with open(os.path.join(HERE, name + '.txt')) as table:
        check(f'{name}, seed {seed}', result.stdout, ''.join(table.readlines()[5 * seed + 1:5 * seed + 5]))


with tempfile.TemporaryDirectory(prefix='inkling-test-') as scratch:
    made = os.path.join(scratch, 'made')
    pixels = bytes(i * 2654435761 % 2**32 >> 24 for i in range(200 * 784))
    write_idx(made, 28, 28, pixels, bytes(i * 7 % 10 for i in range(200)))
    check_hundred_seeds('made', made)

    for name in ['fashion-mnist', 'mnist']:
        source = find(name)
        if source is None:
            print(f'{name}: not found, so not compared')
            continue
        unpack(source, os.path.join(scratch, name))
        check_hundred_seeds(name, os.path.join(scratch, name))
        check_table_line(name, 3, notebook('--seed', '3', '--data', name))  # by its name, gzipped
        if name == 'mnist':
            check_table_line(name, 4, notebook('--seed', '4'))  # which is the default

    check_table_line('made', 0, notebook('--data', made))
    check('the largest seed', notebook('--seed', '4294967295', '--data', made).returncode, 0)

    narrow = os.path.join(scratch, 'narrow')
    write_idx(narrow, 28, 27, pixels[:28 * 27], bytes(1))
    for arguments, code in [(['--seed', '4294967296'], 2), (['--seed', '-1'], 2), (['--seed', 'x'], 2),
                            (['--data', os.path.join(scratch, 'none')], 1), (['--data', narrow], 3)]:
        result = notebook('--data', made, *arguments)
        check(f'{arguments}: exit code', result.returncode, code)
        check(f'{arguments}: nothing on stdout', result.stdout, '')
        check(f'{arguments}: a message', result.stderr != '', True)

print(f'{passed} passed, {failed} failed')
sys.exit(failed > 0)
