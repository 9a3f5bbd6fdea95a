"""A model as a C file: compiled without a warning by every compiler here, and equal to the model bit for bit."""
import json
import os
import re
import shutil
import subprocess

import numpy as np

from exported import COMPILERS, NETS, ROOT, STRICT, build, build_for_arm, write_model
from helper import check, check_run, environment, finish, folder, make_data, read, run, write

def self_test(program, what):
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    check(done.returncode == 0 and "largest difference" in done.stdout, f"{what}: {done}")
    return done.stdout


def test_compilers(compilers, source, name, work):
    out, macro = f"{work}/selftest", f"-D{name.upper()}_SELFTEST"
    for compiler in compilers:
        if build(*compiler, *STRICT, macro, source, "-o", out, "-lm"):
            check(self_test(out, f"{name} by {compiler}").endswith(" 0\n"), f"{name} by {compiler}: the trainer's bits")
    if build("cc", "-O2", *STRICT, macro, f"-D{name.upper()}_NO_FMA", source, "-o", out, "-lm"):
        self_test(out, f"{name} without fused multiply-adds")
    if build("cc", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", macro, source, "-o", out, "-lm"):
        self_test(out, f"{name} under the sanitizers")
    # A self-test must be able to fail.
    text = read(source)
    at = text.index(b"_expected_0[")
    digit = re.compile(rb"(?<=\{\n    )[0-9.e-]+f").search(text, at)
    broken = write(f"{work}/broken.c", text[:digit.start()] + b"0.4321f" + text[digit.end():])
    if build("cc", macro, broken, "-o", out, "-lm"):
        check(subprocess.run(out, capture_output=True).returncode == 1, f"{name}: a self-test that cannot fail")


def test_purity(source, name, work):
    """Outside its self-test the file includes <math.h> and its header, and calls nothing else."""
    text = read(source).decode()
    includes = re.findall(r"#include (\S+)", text[:text.index(f"#ifdef {name.upper()}_SELFTEST\n/*")])
    check(includes == [f'"{name}.h"', "<math.h>"], f"{name} includes {includes}")
    if build("cc", "-O2", *STRICT, "-fno-stack-protector", "-c", source, "-o", f"{work}/pure.o"):
        symbols = subprocess.run(["nm", f"{work}/pure.o"], capture_output=True, text=True).stdout.splitlines()
        taken = {line.split()[-1] for line in symbols if " U " in line}
        given = {line.split()[-1] for line in symbols if re.search(r" [A-TV-Z] ", line)}
        check(taken <= {"fmaf", "ldexpf", "fabsf", "copysignf", "memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"},
              f"{name} takes {taken}")
        check(given == {f"{name}_predict", f"{name}_classes"}, f"{name} gives {given}")
        check(not any(re.search(r" [bBdD] ", line) and "classes" not in line for line in symbols), f"{name}: it has a state")


def test_verify(model, source, data):
    done = run("verify", model, source)
    check_run(done, 0, f"100 test images of {data}", "probability  0\n", "same bits     100 of 100", "same answers  100 of 100")
    for compiler in ("gcc -O0", "clang"):
        if shutil.which(compiler.split()[0]):
            result = json.loads(run("verify", model, source, data, "--json", env=environment(CC=compiler)).out)
            check(result["largest_difference"] == 0 and result["same_bits"] == result["count"] == 100, f"{compiler}: {result}")


def test_verify_refuses(model, strange, source, data, work):
    text = read(source).decode()
    first = re.compile(r"(_bias_\d+\[\d+\] = \{\n    )([-0-9.e]+)f")
    wrong = write(f"{work}/notebook_wrong.c", first.sub(r"\g<1>9.5f", text, count=1).encode())
    done = run("verify", model, wrong, data)
    check_run(done, 4, "largest difference", "expected at most 1e-06", "same bits     0 of 100")
    nan = write(f"{work}/notebook_nan.c", first.sub(r"\g<1>(0.0f / 0.0f)", text, count=1).encode())
    check_run(run("verify", model, nan, data), 4, "nan")
    ends = write(f"{work}/notebook_ends.c", text.replace("{\n    /* dense", "{ for (;;) *(volatile int *)0 = 0;\n /* dense", 1).encode())
    check_run(run("verify", model, ends, data), 1, "ended before its last image")
    check_run(run("verify", model, f"{work}/strange.c", data), 3, "found 12 inputs and 3 classes, the model has 784 and 10")
    check_run(run("verify", strange, source, data), 3, "found images of 28 x 28 x 1, the model expects 2 x 2 x 3")
    check_run(run("verify", model, write(f"{work}/main.c", b"int main(void) { return 0; }\n"), data), 3, "main.c", "_predict")
    check_run(run("verify", model, f"{work}/none.c", data), 1, "none.c: cannot open")
    check_run(run("verify", model, source, data, env=environment(CC="no-such-cc -x")), 1, "'no-such-cc'", "install a C compiler")
    check_run(run("verify", model, source, data, env=environment(CC="false")), 1, "'false' could not compile it")
    check_run(run("verify", model, source, "mnits"), 1, "mnits")
    place = f"{work}/tmp"
    os.mkdir(place)
    for path, code in ((source, 0), (wrong, 4), (ends, 1), (f"{work}/main.c", 3)):
        check_run(run("verify", model, path, data, env=environment(TMPDIR=place)), code)
    check(os.listdir(place) == [], f"verify leaves nothing behind, found {os.listdir(place)}")


def test_strange_model(work):
    """Colour, means and deviations, and texts that would end a comment or a string."""
    random = np.random.RandomState(1)
    names = ["T-shirt/top", "\u4e03 \"7\"??/\\", "*/ end"]
    tensors = {"0.weight": (12, 3), "0.bias": (3,)}
    model = write_model(f"{work}/strange.safetensors",
                        {"format": "inkling-1", "spec": "dense 3", "input": "2x2x3", "classes": json.dumps(names),
                         "mean": "[0.5, 0.25, 0.1]", "deviation": "[0.3, 1, 2]", "dataset": "a */ #error \n b", "seed": "1"},
                        {name: random.randn(*shape) for name, shape in tensors.items()})
    check_run(run("export", model, "-o", f"{work}/7-strange.c"), 0, "_7_strange_predict")
    check_run(run("export", model, "-o", f"{work}/strange.c"), 0, "strange_predict, 39 parameters")
    test_compilers(COMPILERS, f"{work}/strange.c", "strange", work)
    main = write(f"{work}/names.c", b'#include <stdio.h>\n#include "strange.h"\nint main(void)\n{\n'
                 b"    int i;\n    for (i = 0; i < STRANGE_CLASSES; i++)\n        puts(strange_classes[i]);\n    return 0;\n}\n")
    if build("gcc", "-std=c99", *STRICT, main, f"{work}/strange.c", "-o", f"{work}/names", "-lm"):
        found = subprocess.run(f"{work}/names", capture_output=True).stdout.decode().splitlines()
        check(found == names, f"class names: {found}")
    return model


def test_usage(model, work):
    out = f"{work}/again.c"
    check_run(run("export", model, "-o", out, "--name", "digits"), 0)
    once = read(out), read(f"{work}/again.h")
    check_run(run("export", model, "-o", out, "--name", "digits", "--format", "c"), 0)
    check(once == (read(out), read(f"{work}/again.h")), "the same model gives the same bytes")
    check(b"digits_predict" in once[0] and b"#define DIGITS_CLASSES 10\n" in once[1], "--name")
    for arguments, code, words in [
            (["-o", f"{work}/net.txt"], 2, ["expected a name that ends in one of .c"]), (["-o", ".c"], 2, [".c"]),
            (["-o", out, "--name", "9"], 2, ["name '9'"]), (["-o", out, "--format", "d"], 2, ["found 'd'"]),
            (["-o", f"{work}/none/net.c"], 1, ["none/net."]), ([], 2, ["--output"])]:
        check_run(run("export", model, *arguments), code, *words)
    check_run(run("export", f"{work}/missing", "-o", out), 1, "missing")


def test_document(model, image, work):
    """The program in docs/deploy.md, as it stands there."""
    text = (ROOT / "docs" / "deploy.md").read_text()
    program = write(f"{work}/recognise.c", re.search(r"```c\n(.*?)```", text, re.DOTALL).group(1).encode())
    check_run(run("export", model, "-o", f"{work}/digits.c"), 0, "digits_predict")
    if build("cc", "-std=c99", *STRICT, program, f"{work}/digits.c", "-o", f"{work}/recognise", "-lm"):
        done = subprocess.run(f"{work}/recognise", input=image.astype(np.uint8).tobytes(), capture_output=True)
        check(re.fullmatch(rb"\d: [0-9.]+%\n", done.stdout) and done.returncode == 0, f"deploy.md's program: {done}")
        check(done.stdout.startswith(b"0: "), f"deploy.md's program sees the class: {done}")


def test_arm(source, name, work):
    if command := build_for_arm(source, name, work):
        check(self_test(command, f"{name} on a Cortex-M4").endswith(" 0\n"), f"{name} on a Cortex-M4: the trainer's bits")


with folder() as work:
    data = f"{work}/data"
    images = make_data(data)
    strange = test_strange_model(work)
    for name, spec in NETS.items():
        model, source = f"{work}/{name}.safetensors", f"{work}/{name}.c"
        check_run(run("train", data, "-o", model, "--net", spec, "--epochs", 12, "--batch", 20, "--val", 20), 0)
        check_run(run("export", model, "-o", source), 0, f"{name}_predict")
        test_purity(source, name, work)
        test_compilers(COMPILERS if name != "notebook" else COMPILERS[:1], source, name, work)
        test_verify(model, source, data)
        test_arm(source, name, work)
    notebook = f"{work}/notebook.safetensors"
    test_verify_refuses(notebook, strange, f"{work}/notebook.c", data, work)
    test_usage(notebook, work)
    test_document(notebook, images[0], work)
finish()
