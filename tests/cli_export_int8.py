"""A model as integers: as C, compiled without a warning and equal everywhere; as a file that the program takes; or refused."""
import json
import os
import re
import shutil
import subprocess

import numpy as np

from exported import ARM, COMPILERS, ROOT, STRICT, build, build_for_arm, write_model
from helper import check, check_run, environment, finish, folder, make_data, read, run, write

# Between them, every kind of layer and activation, values on both sides of zero, and other ends than a dense layer.
NETS = {
    "notebook": "notebook",
    "tiny": "conv 8 5x5, norm relu, pool 2, conv 16 5x5, norm relu, pool 2, dense 10",
    "convs": "conv 8 5x5 pad 2, norm relu, pool 2, conv 11 3x2 stride 2 pad 1 leaky 0.2, dropout 0.2, dense 33 tanh, "
             "norm gelu, dense 10, mse",
    "groups": "avgpool 2, conv 9 3x3 stride 2 pad 1, norm, norm sigmoid, res [ conv 9 3x3 pad 1, norm relu, res [ gelu ] ], "
              "res [ dropout 0.5 ], conv 10 3x3 tanh, norm, globalavg",
    "largest": "conv 4 5x5 stride 2, norm relu, conv 10 3x3 stride 2 pad 1, globalpool",
}
FLASH = 16384  # bytes that a network of fewer than 10,000 parameters may take on a Cortex-M4, code and all


def self_test(program, what):
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    check(done.returncode == 0 and done.stdout.endswith(": 0 of 10 scores differ\n"), f"{what}: {done}")


def test_compilers(compilers, source, name, work):
    out, macro = f"{work}/selftest", f"-D{name.upper()}_SELFTEST"
    for compiler in compilers:
        for more in ([], [f"-D{name.upper()}_PROBABILITIES"]) if name == "convs" else ([],):
            if build(*compiler, *STRICT, macro, *more, source, "-o", out, "-lm"):
                self_test(out, f"{name} by {compiler}")
    if build("cc", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", macro, source, "-o", out):
        self_test(out, f"{name} under the sanitizers")
    # A self-test must be able to fail.
    text = read(source)
    digit = re.compile(rb"(?<=\{\n    )-?[0-9]+").search(text, text.index(b"_expected_0["))
    broken = write(f"{work}/broken.c", text[:digit.start()] + b"123456789" + text[digit.end():])
    if build("cc", macro, broken, "-o", out):
        done = subprocess.run(out, capture_output=True)
        check(done.returncode == 1 and b": 1 of 10 scores differ" in done.stdout, f"{name}: a self-test that cannot fail")


def symbols_of(words, source, work):
    """The names that the object takes and gives, or None."""
    if not build(*words, "-c", source, "-o", f"{work}/pure.o"):
        return None
    lines = subprocess.run(["nm", f"{work}/pure.o"], capture_output=True, text=True).stdout.splitlines()
    check(not any(re.search(r" [bBdD] ", line) and "classes" not in line for line in lines), f"{source}: it has a state")
    return ({line.split()[-1] for line in lines if " U " in line},
            {line.split()[-1] for line in lines if re.search(r" [A-TV-Z] ", line)})


def test_purity(source, name, work):
    """The file includes its header and <stdint.h> and calls nothing; without probabilities there is no floating point."""
    text = read(source).decode()
    includes = re.findall(r"#include (\S+)", text[:text.index(f"#ifdef {name.upper()}_PROBABILITIES")])
    check(includes == [f'"{name}.h"', "<stdint.h>"], f"{name} includes {includes}")
    # Position-independent code keeps constants that hold addresses among the data.
    found = symbols_of(["cc", "-O2", *STRICT, "-fno-stack-protector", "-fno-pic"], source, work)
    if found:
        check(found[0] <= {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"}, f"{name} takes {found[0]}")
        check(found[1] == {f"{name}_predict", f"{name}_classes"}, f"{name} gives {found[1]}")
    if shutil.which(ARM[0]):
        soft = ["arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", *STRICT]
        found = symbols_of(soft, source, work)
        check(found is None or found[0] <= {"memcpy", "memset", "memmove"}, f"{name} on a Cortex-M4 takes {found}")


def test_answers(model, source, data, images, work):
    """The C file by itself has the answers that eval counts, and they are in its scores and its probabilities too."""
    name = os.path.basename(source)[:-2]
    driver = f"""
#include <stdio.h>
#include "{name}.h"
int main(void)
{{
    static uint8_t image[{name.upper()}_INPUTS], scratch[{name.upper()}_SCRATCH_BYTES];
    int32_t scores[{name.upper()}_CLASSES];
    float probabilities[{name.upper()}_CLASSES];
    while (fread(image, sizeof image, 1, stdin) == 1) {{
        int c, best = 0, answer = {name}_predict(image, scores, scratch);
        float sum = 0;
        {name}_probabilities(scores, probabilities);
        for (c = 0; c < {name.upper()}_CLASSES; c++) {{
            best = scores[c] > scores[best] ? c : best;
            sum += probabilities[c];
        }}
        printf("%d %d %d\\n", answer, best == answer && probabilities[answer] >= probabilities[0], sum > 0.9999f && sum < 1.0001f);
    }}
    return 0;
}}
"""
    out, define = f"{work}/answers", f"-D{name.upper()}_PROBABILITIES"
    if not build("cc", "-std=c99", "-O2", *STRICT, define, write(f"{work}/{name}_driver.c", driver.encode()), source, "-o", out,
                 "-lm"):
        return
    done = subprocess.run(out, input=images.astype(np.uint8).tobytes(), capture_output=True)
    rows = np.array([line.split() for line in done.stdout.decode().splitlines()], int)
    check(rows.shape == (100, 3) and rows[:, 1:].all(), f"{name}: answers, scores and probabilities agree")
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (np.arange(100) % 10, rows[:, 0]), 1)
    found = json.loads(run("eval", model, data, "--json").out)
    check((confusion == np.array(found["confusion"])).all(), f"{name}: the answers of C and of eval")


def test_document(model, image, work):
    """The program of integers in docs/deploy.md, as it stands there."""
    program = re.findall(r"```c\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(), re.DOTALL)[1]
    check_run(run("export", model, "-o", f"{work}/digits.c"), 0, "digits_predict")
    if build("cc", "-std=c99", *STRICT, write(f"{work}/what.c", program.encode()), f"{work}/digits.c", "-o", f"{work}/what"):
        done = subprocess.run(f"{work}/what", input=image.astype(np.uint8).tobytes(), capture_output=True)
        check(done.returncode == 0 and done.stdout == b"0\n", f"deploy.md's program: {done}")


def test_arm(source, name, work):
    command = build_for_arm(source, name, work)
    if command is None:
        return
    self_test(command, f"{name} on a Cortex-M4")
    elf = f"{work}/{name}.o"
    if name == "tiny" and build("arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", "-c", source, "-o", elf):
        size = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True).stdout.splitlines()[1].split()
        check(int(size[0]) <= FLASH and size[1:3] == ["0", "0"], f"tiny takes {size[:3]} bytes, expected at most {FLASH}")


def test_file(model, source, quantised, data, work):
    """The model file of integers: the same C comes from it, and the program takes it as any model."""
    again = f"{work}/again/{os.path.basename(source)}"
    os.makedirs(f"{work}/again", exist_ok=True)
    check_run(run("export", quantised, "-o", again), 0)
    check(read(again) == read(source), f"{again}: the same C from the model of integers")
    check_run(run("export", quantised, "--format", "int8", "-o", f"{work}/again.safetensors"), 0)
    check(read(f"{work}/again.safetensors") == read(quantised), "the model of integers is written as it was read")
    for against in (quantised, model):
        check_run(run("verify", against, source), 0, "probability  0\n", "same bits     100 of 100")
    check_run(run("verify", quantised, source, data, env=environment(CC="gcc -O0")), 0, "same bits     100 of 100")
    floats, integers = (json.loads(run("show", path, "--json").out) for path in (model, quantised))
    check(integers["quantised"] and not floats["quantised"], "show tells integers")
    check(integers["network"] == floats["network"] and integers["metadata"] == floats["metadata"], "the rest is as it was")
    check(integers["parameters"] == floats["parameters"] and integers["bytes"] < floats["bytes"], "show tells the bytes")
    check_run(run("show", quantised), 0, "of 8-bit integers")
    found = run("predict", quantised, f"{data}:7", "--json")
    said = json.loads(found.out)
    check(said["truth"] == "7" and said["answer"] == said["top"][0]["class"], f"predict takes integers: {found.out}")
    portable = json.loads(run("eval", quantised, data, "--json", env=environment(INKLING_KERNELS="portable")).out)
    for threads in (1, 3):
        check(json.loads(run("eval", quantised, data, "--json", "--threads", threads).out) == portable, "eval anywhere")


def test_same_everywhere(model, source, quantised, work):
    for kernels in ("portable", "avx2"):
        env = environment(INKLING_KERNELS=kernels)
        if run("bench", "--help", env=env).code != 0 or run("eval", quantised, "synthetic", env=env).code == 2:
            continue
        out = f"{work}/again.safetensors"
        check_run(run("export", model, "--format", "int8", "-o", out, env=env), 0)
        check(read(out) == read(quantised), f"the integers that are made with {kernels}")


def test_synthetic(work):
    """All test images of a set that is always there."""
    model, source = f"{work}/drawn.safetensors", f"{work}/drawn.c"
    check_run(run("train", "synthetic", "-o", model, "--net", NETS["tiny"], "--epochs", 2), 0)
    done = run("export", model, "--format", "c-int8", "-o", source)
    check_run(done, 0, "calibrated on training images of synthetic", "2,000 test images", "as integers", "drawn_predict")
    check_run(run("verify", model, source), 0, "same bits     2,000 of 2,000", "same answers  2,000 of 2,000")


def test_refusal(data, work):
    """A value a thousand times the others, which then fall into one step of the bytes: nothing is written."""
    random = np.random.RandomState(1)
    first, second = np.zeros((784, 11)), np.zeros((11, 10))
    for c in range(10):
        first[28 * (4 + 2 * c) + 4:28 * (4 + 2 * c) + 24, c] = 0.1
        second[c, c] = 1
    first[:, 10] = 100
    model = write_model(f"{work}/fine.safetensors",
                        {"format": "inkling-1", "spec": "dense 11, dense 10", "input": "28x28x1",
                         "classes": json.dumps(list("0123456789"))},
                        {"0.weight": first, "0.bias": np.zeros(11), "1.weight": second, "1.bias": np.zeros(10)})
    check(json.loads(run("eval", model, data, "--json").out)["accuracy"] > 0.9, "the floats tell the classes")
    place = f"{work}/refused"
    os.mkdir(place)
    for form, name in (("c-int8", "net.c"), ("int8", "net.safetensors")):
        done = run("export", model, "--format", form, "-o", f"{place}/{name}", "--data", data)
        check_run(done, 4, "the integers lose", "points of accuracy, expected at most 0.2")
        check(os.listdir(place) == [], f"nothing is written, found {os.listdir(place)}")
    write(f"{place}/net.c", b"old")
    check_run(run("export", model, "--format", "c-int8", "-o", f"{place}/net.c", "--data", data, "--max-drop", 5), 4)
    check(os.listdir(place) == ["net.c"] and read(f"{place}/net.c") == b"old", "what was there is as it was")
    check_run(run("export", model, "--format", "c-int8", "-o", f"{place}/net.c", "--data", data, "--max-drop", 100), 0)
    check(sorted(os.listdir(place)) == ["net.c", "net.h"], "and written if it may be")
    # A mean and a deviation to take out of the pixels.
    shifted = write_model(f"{work}/shifted.safetensors",
                          {"format": "inkling-1", "spec": "conv 10 1x1, globalavg", "input": "28x28x1",
                           "classes": json.dumps(list("0123456789")), "mean": "[0.31]", "deviation": "[0.4]"},
                          {"0.weight": random.randn(1, 1, 1, 10), "0.bias": random.randn(10)})
    check_run(run("export", shifted, "--format", "c-int8", "-o", f"{work}/shifted.c", "--data", data, "--max-drop", 100), 0)
    check_run(run("verify", shifted, f"{work}/shifted.c", data), 0, "same bits     100 of 100")
    return model


def test_usage(model, quantised, fine, source, data, work):
    out = f"{work}/usage.c"
    for arguments, code, words in [
            ([fine, "-o", out], 2, ["--data", "does not say"]),
            ([model, "-o", out, "--data", f"{work}/none"], 1, ["none"]),
            ([model, "-o", out, "--data", "synthetic", "--max-drop", "x"], 2, ["--max-drop"]),
            ([model, "-o", f"{work}/usage.safetensors"], 2, [".c"]),
            ([model, "-o", f"{work}/none/usage.c"], 1, ["none/usage."])]:
        check_run(run("export", "--format", "c-int8", *arguments), code, *words)
    for form, path in (("onnx", "usage.onnx"), ("npz", "usage.npz")):
        check_run(run("export", quantised, "--format", form, "-o", f"{work}/{path}"), 2, "quantised, expected one of floats")
        check(not os.path.exists(f"{work}/{path}"), f"{path} is not written")
    check_run(run("export", quantised, "-o", f"{work}/usage.safetensors", "--layout", "torch"), 2, "quantised")
    # One file is not divided: calibrated on all of it, compared on all of it, or on what training held out.
    done = run("export", model, "--format", "c-int8", "-o", out, "--data", f"{data}/t10k-images-idx3-ubyte", "--max-drop", 9)
    check_run(done, 0, "compared on 100 images, all of them")
    check_run(run("train", f"{data}/train-images-idx3-ubyte", "-o", f"{work}/whole.safetensors", "--val", 40, "--epochs", 3), 0)
    done = run("export", f"{work}/whole.safetensors", "--format", "c-int8", "-o", out, "--max-drop", 50)
    check_run(done, 0, "compared on 40 images held out in training")
    text = read(source).decode()
    wrong = write(f"{work}/notebook_wrong.c", re.sub(r"(_bias_2\[\d+\] = \{\n    )-?\d+", r"\g<1>77777", text, count=1).encode())
    check_run(run("verify", model, wrong, data), 4, "expected at most 1e-06")


with folder() as work:
    data = f"{work}/data"
    images = make_data(data)
    for name, spec in NETS.items():
        model, source, quantised = f"{work}/{name}.safetensors", f"{work}/{name}.c", f"{work}/{name}.int8.safetensors"
        check_run(run("train", data, "-o", model, "--net", spec, "--epochs", 12, "--batch", 20, "--val", 20), 0)
        check_run(run("export", model, "--format", "c-int8", "-o", source, "--max-drop", 3), 0, f"{name}_predict")
        check_run(run("export", model, "--format", "int8", "-o", quantised, "--max-drop", 3), 0, "saved")
        test_purity(source, name, work)
        test_compilers(COMPILERS if name in ("convs", "groups") else COMPILERS[:1], source, name, work)
        test_answers(quantised, source, data, images, work)
        test_arm(source, name, work)
        test_file(model, source, quantised, data, work)
    test_same_everywhere(model, source, quantised, work)
    test_document(f"{work}/tiny.int8.safetensors", images[0], work)
    test_synthetic(work)
    fine = test_refusal(data, work)
    test_usage(f"{work}/notebook.safetensors", f"{work}/notebook.int8.safetensors", fine, f"{work}/notebook.c", data, work)
finish()
