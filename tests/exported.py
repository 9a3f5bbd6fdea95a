"""What the tests of exports share: data that any network learns, models made by hand, and the compilers there are."""
import json
import os
import pathlib
import shutil
import struct
import subprocess

import numpy as np

from helper import check, idx, write

ROOT = pathlib.Path(__file__).resolve().parent.parent
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror"]
COMPILERS = [command for command in (["gcc", "-std=c99", "-O2"], ["gcc", "-std=c99", "-O3"], ["clang", "-std=c99", "-O2"],
                                     ["g++", "-xc++", "-O2"], ["g++", "-xc++", "-std=c++98"], ["clang++", "-xc++", "-O2"])
             if shutil.which(command[0])]
ARM = ["arm-none-eabi-gcc", "-std=c99", "-O2", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
BOARD = ["--specs=rdimon.specs", "-T", ROOT / "tests/arm/mps2.ld", ROOT / "tests/arm/start.c"]
QEMU = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel"]

# Between them every kind of layer and activation, and every change between pictures and vectors.
KINDS = {
    "convs": "conv 8 5x5 pad 2, norm relu, pool 2, conv 11 3x2 stride 2 pad 1 leaky 0.2, dropout 0.2, dense 33 tanh, "
             "norm gelu, dense 20, conv 12 1x1 sigmoid, res [ conv 12 1x1, norm relu, res [ gelu ] ], dense 10, mse",
    "groups": "avgpool 2, conv 9 3x3 stride 2, norm, norm sigmoid, res [ conv 9 3x3 pad 1, norm relu, res [ gelu ] ], "
              "res [ dropout 0.5 ], globalavg, dense 40 relu, dense 10",
    "pools": "conv 10 3x3, pool 3x2 stride 2, globalpool",
}
NETS = {"notebook": "notebook", **KINDS}


def build(*words):
    """Runs a compiler, which must say nothing."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    check(done.returncode == 0 and done.stderr == "", f"{' '.join(map(str, words))}: {done.returncode}, {done.stderr[:1500]}")
    return done.returncode == 0


def write_model(path, metadata, tensors):
    header, body = {"__metadata__": metadata}, b""
    for name, values in sorted(tensors.items()):
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [len(body), len(body) + 4 * values.size]}
        body += values.astype("<f4").tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return write(path, struct.pack("<Q", len(text)) + text + body)


def build_for_arm(source, name, work):
    """The self-test of an exported file for an emulated Cortex-M4: how it is run, or None."""
    if not shutil.which(ARM[0]) or not shutil.which(QEMU[0]):
        print("no arm-none-eabi-gcc or qemu-system-arm: not run on a Cortex-M4")
        return None
    elf = f"{work}/{name}.elf"
    return [*QEMU, elf] if build(*ARM, *STRICT, f"-D{name.upper()}_SELFTEST", *BOARD, source, "-o", elf, "-lm") else None
