"""A model as ONNX: accepted by onnx.checker, run by ONNX Runtime with the trainer's numbers, and back as the same file."""
import json
import os
import pathlib
import shutil
import subprocess

import numpy as np

from exported import KINDS
from helper import Compiled, check, check_run, finish, folder, make_data, read, run, write

TESTS = pathlib.Path(__file__).resolve().parent
MOST = 1e-6  # difference of a probability between ONNX Runtime and us
MOST_OF = {"maps": 1e-5}  # a sigmoid and a tanh of each pixel, which it approximates, added up 784 times

NETS = {"notebook": "notebook", "lenet": "lenet", **KINDS,
        "maps": "sigmoid, tanh, leaky, dense 15 gelu, relu, norm, dropout 0.25, dense 10"}


def test_runtime(models, images, work):
    """All models by ONNX Runtime, in batches of 100 and of 1."""
    if not shutil.which("node") or not (TESTS / "node_modules/onnxruntime-web").exists():
        print("no node, or no ONNX Runtime (script/bootstrap installs both): not run by it")
        return
    jobs = []
    for name, (model, images) in models.items():
        for count in (len(images), 1):
            values = np.ascontiguousarray(images[:count].transpose(0, 3, 1, 2), np.float32)
            jobs.append({"model": f"{work}/{name}.onnx", "input": f"{work}/{name}.{count}.in", "dims": values.shape,
                         "output": f"{work}/{name}.{count}.out"})
            values.tofile(jobs[-1]["input"])
    done = subprocess.run(["node", TESTS / "ort.mjs"], input=json.dumps(jobs).encode(), capture_output=True, timeout=300)
    check(done.returncode == 0, f"ONNX Runtime: {done.stderr.decode()[:2000]}")
    lines = done.stdout.decode().splitlines()
    for job, line in zip(jobs, lines):
        name, count = os.path.basename(job["model"])[:-5], job["dims"][0]
        model, images = models[name]
        ours = Compiled(model, work)(images[:count])
        theirs = np.fromfile(job["output"], np.float32).reshape(ours.shape)
        check(line == f"image probabilities {count}x{ours.shape[1]}", f"{name}: {line}")
        largest = np.abs(ours - theirs).max()
        check(largest <= MOST_OF.get(name, MOST), f"{name}, {count} images: ONNX Runtime differs by {largest:g}")
        if count > 1:
            print(f"{name}: largest difference to ONNX Runtime {largest:.2g} over {count} images")
    check(len(lines) == len(jobs), "every model was run")


def test_checker(path, name, spec):
    try:
        import onnx
    except ImportError:
        print("no python3-onnx: not checked by onnx.checker")
        return
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    check((model.ir_version, model.opset_import[0].version, model.producer_name) == (7, 13, "inkling"), f"{name}: versions")
    check([d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == ["batch", 1, 28, 28],
          f"{name}: shape of the input")
    texts = {pair.key: pair.value for pair in model.metadata_props}
    check("spec" in texts and json.loads(texts["classes"]) == list("0123456789") and texts["seed"] == "0", f"{name}: {texts}")


def test_usage(model, export, data, work):
    again = f"{work}/again.onnx"
    check_run(run("export", model, "-o", again, "--format", "onnx"), 0, "again.onnx")
    check(read(again) == read(export), "the same model gives the same bytes")
    check_run(run("export", model, "-o", f"{work}/net.txt", "--format", "onnx"), 2, "ends in .onnx")
    check_run(run("export", model, "-o", f"{work}/none/net.onnx"), 1, "none/net.onnx")
    check_run(run("verify", model, export), 0, f"100 test images of {data}", "probability  0\n", "same bits     100 of 100")
    check_run(run("verify", model, f"{work}/lenet.onnx"), 4, "expected at most 1e-06")
    check_run(run("verify", model, f"{work}/strange.onnx"), 3, "strange.onnx: input 'image' is Nx3x2x2")
    check_run(run("verify", model, write(f"{work}/net.tflite", b"x")), 2, ".onnx")
    check_run(run("verify", model, f"{work}/none.onnx"), 1, "none.onnx")


def write_strange(path):
    """A model of colour, with means and deviations and class names of all kinds, as its tensors."""
    random = np.random.RandomState(1)
    header = {"__metadata__": {"format": "inkling-1", "spec": "dense 3", "input": "2x2x3", "mean": "[0.5, 0.25, 0.1]",
                               "classes": json.dumps(["T-shirt/top", "\u4e03", "*/"]), "deviation": "[0.3, 1, 2]"},
              "0.weight": {"dtype": "F32", "shape": [12, 3], "data_offsets": [0, 144]},
              "0.bias": {"dtype": "F32", "shape": [3], "data_offsets": [144, 156]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write(path, len(text).to_bytes(8, "little") + text + random.randn(39).astype("<f4").tobytes())


with folder() as work:
    data = f"{work}/data"
    images = make_data(data).astype(np.float32)[..., None] / np.float32(255)
    strange = f"{work}/strange.safetensors"
    write_strange(strange)
    models = {"strange": (strange, np.random.RandomState(2).rand(50, 2, 2, 3).astype(np.float32))}
    for name, spec in NETS.items():
        models[name] = f"{work}/{name}.safetensors", images
        check_run(run("train", data, "-o", models[name][0], "--net", spec, "--epochs", 8, "--batch", 20, "--val", 20), 0)
    for name, (model, _) in models.items():
        check_run(run("export", model, "-o", f"{work}/{name}.onnx"), 0, f"saved {work}/{name}.onnx")
        back = f"{work}/{name}.back.safetensors"
        check_run(run("import", f"{work}/{name}.onnx", "-o", back), 0, "parameters")
        if name != "strange":  # which was not written by us
            check(read(back) == read(model), f"{name}: the import of the export is the model, byte for byte")
            test_checker(f"{work}/{name}.onnx", name, spec)
    values = models["strange"][1]
    check(np.array_equal(Compiled(f"{work}/strange.back.safetensors", work)(values), Compiled(strange, work)(values)),
          "strange: the import of the export gives the same bits")
    check_run(run("show", f"{work}/strange.back.safetensors"), 0, "T-shirt/top")
    test_runtime(models, images, work)
    test_usage(models["notebook"][0], f"{work}/notebook.onnx", data, work)
finish()
