"""Weights as arrays for NumPy and PyTorch, and back: the same bits either way, and what does not fit is named."""
import json

import numpy as np

from exported import KINDS
from helper import Compiled, check, check_run, finish, folder, make_data, read, run, write

MOST = 2e-6  # difference of a probability between PyTorch and us

NETS = {"notebook": "notebook", **KINDS}


def read_safetensors(path):
    """The arrays and the metadata of a file."""
    data = read(path)
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    texts, types = header.pop("__metadata__", {}), {"F32": "<f4", "I64": "<i8"}
    return {name: np.frombuffer(body[e["data_offsets"][0]:e["data_offsets"][1]], types[e["dtype"]]).reshape(e["shape"])
            for name, e in header.items()}, texts


def write_safetensors(path, arrays, texts=None):
    header, body = {"__metadata__": texts} if texts else {}, b""
    for name, array in arrays.items():
        data = array.tobytes()
        header[name] = {"dtype": {"f4": "F32", "i8": "I64", "f8": "F64"}[array.dtype.str[1:]], "shape": array.shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return write(path, len(text).to_bytes(8, "little") + text + body)


def test_arrays(model, name, work):
    """npz and safetensors hold the same arrays; those in our layout are the model's own."""
    own = dict(np.load(f"{work}/{name}.npz"))
    known, texts = read_safetensors(model)
    check(own.keys() == known.keys() and all(np.array_equal(own[key], known[key]) for key in own), f"{name}: {list(own)}")
    check(read(f"{work}/{name}.copy.safetensors") == read(model), f"{name}: safetensors in our layout are the model")
    torch_npz, (torch_file, texts) = dict(np.load(f"{work}/{name}.torch.npz")), read_safetensors(f"{work}/{name}.torch.safetensors")
    check(torch_npz.keys() == torch_file.keys() and all(
        np.array_equal(torch_npz[key], torch_file[key]) and torch_npz[key].dtype == torch_file[key].dtype
        for key in torch_npz), f"{name}: {list(torch_npz)}, {list(torch_file)}")
    check(texts["format"] == "pt" and texts["torch"].startswith("nn.Sequential("), f"{name}: {texts}")


def test_torch(model, name, images, work):
    """The printed module takes the arrays as its state, and gives what we give."""
    try:
        import torch
        from torch import nn
    except ImportError:
        print("no python3-torch: the arrays were not loaded by it")
        return

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    arrays, texts = read_safetensors(f"{work}/{name}.torch.safetensors")
    module = eval(texts["torch"], {"nn": nn, "Residual": Residual}).eval()
    module.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in arrays.items()}, strict=True)
    with torch.no_grad():
        theirs = module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).softmax(1).numpy()
    largest = np.abs(Compiled(model, work)(images) - theirs).max()
    check(largest <= MOST, f"{name}: PyTorch differs by {largest:g}")
    print(f"{name}: largest difference to PyTorch {largest:.2g} over {len(images)} images")
    # And the way back from PyTorch's own state, as its users save it.
    state = {key: value.numpy() for key, value in module.state_dict().items()}
    back = f"{work}/{name}.state.safetensors"
    for path in (write_safetensors(f"{work}/state.safetensors", state), f"{work}/state.npz"):
        np.savez(f"{work}/state.npz", **state)
        check_run(run("import", path, "-o", back, "--net", NETS[name]), 0, "parameters")
        found, known = read_safetensors(back)[0], read_safetensors(model)[0]
        check(all(np.array_equal(found[key], known[key]) for key in known), f"{path}: {name}'s weights come back")


def test_refusals(work):
    path, out = f"{work}/w.npz", f"{work}/none.safetensors"
    w, b = np.arange(32, dtype=np.float32).reshape(16, 2) / 32, np.array([1, 2], np.float32)
    shape = ["--net", "dense 2", "--input", "4x4x1"]

    def known(arrays):
        np.savez(path, **arrays)
        model = f"{work}/known.safetensors"
        check_run(run("import", path, "-o", model, *shape), 0, "(4x4x1, dense 2; 34 parameters)")
        check(np.array_equal(read_safetensors(model)[0]["0.weight"], w), f"{list(arrays)}: the weights")

    known({"0.weight": w, "0.bias": b})
    known({"0.weight": w.astype(">f8"), "0.bias": b.astype(np.float16)})
    known({"0.weight": np.asfortranarray(w), "0.bias": b})
    known({"1.weight": np.ascontiguousarray(w.T), "1.bias": b})  # nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    np.savez_compressed(path, **{"0.weight": w, "0.bias": b, "mean": np.array([0.5]), "deviation": np.array([0.25])})
    model = f"{work}/scaled.safetensors"
    check_run(run("import", path, "-o", model, *shape), 0)
    texts = read_safetensors(model)[1]
    check(json.loads(texts["mean"]) == [0.5] and json.loads(texts["deviation"]) == [0.25], f"mean and deviation: {texts}")
    again = f"{work}/scaled.npz"
    check_run(run("export", model, "-o", again), 0)
    check(np.load(again)["deviation"].tolist() == [0.25], "mean and deviation are exported")
    check_run(run("import", again, "-o", f"{work}/again.safetensors", *shape), 0)
    check(read(f"{work}/again.safetensors") == read(model), "and come back")

    for arrays, words in (({"0.weight": w}, "array '0.bias': found none, expected floats of shape (2)"),
                          ({"0.weight": w.T, "0.bias": b}, "array '0.weight': found (2, 16), expected floats of shape (16, 2)"),
                          ({"1.weight": w, "1.bias": b}, "array '1.weight': found (16, 2), expected floats of shape (2, 16)"),
                          ({"0.weight": w.astype(int), "0.bias": b}, "'0.weight': found elements of another type"),
                          ({"0.weight": w, "0.bias": b, "2.bias": b}, "array '2.bias': not of this network, expected 2 others"),
                          ({"0.weight": w, "0.bias": b * np.float32("inf")}, "'0.bias': element 0 is inf"),
                          ({"0.weight": w, "0.bias": b, "mean": b}, "array 'mean': expected 1 finite numbers"),
                          ({"0.weight": w, "0.bias": b, "deviation": b[:1] * 0}, "array 'deviation'"), ({}, "array '0.weight': found none")):
        np.savez(path, **arrays)
        check_run(run("import", path, "-o", out, *shape), 3, f"{path}: ", words)
    np.savez(path, **{"0.weight": w, "0.bias": b})
    check_run(run("import", path, "-o", out), 2, "say what network")
    check_run(run("import", path, "-o", out, "--net", "dense 2"), 3, "expected floats of shape (784, 2)")
    check_run(run("import", path, "-o", out, "--net", "dens 2"), 2, "did you mean 'dense'?")
    check_run(run("import", path, "-o", out, *shape, "--layout", "tensorflow"), 2, "--layout")
    check_run(run("import", path, "-o", out, *shape, "--layout", "torch"), 3, "array '1.weight': found none")
    check_run(run("import", write(f"{work}/cut.npz", read(path)[:-30]), "-o", out, *shape), 3, "cut.npz")
    cube = {"0.weight": np.arange(81, dtype=np.float32).reshape(3, 3, 3, 3), "0.bias": np.zeros(3, np.float32)}
    np.savez(path, **cube)
    cubic = ["--net", "conv 3 3x3, globalavg", "--input", "5x5x3"]
    check_run(run("import", path, "-o", out, *cubic), 2, "fit both layouts")
    for layout, expected in (("inkling", cube["0.weight"]), ("torch", cube["0.weight"].transpose(2, 3, 1, 0))):
        check_run(run("import", path, "-o", model, *cubic, "--layout", layout), 0)
        check(np.array_equal(read_safetensors(model)[0]["0.weight"], expected), f"--layout {layout}")
    file = write_safetensors(f"{work}/w.safetensors", {"0.weight": w.astype("<f8"), "0.bias": b})
    check_run(run("import", file, "-o", out, *shape), 3, "'0.weight': found elements of another type")
    file = write_safetensors(f"{work}/w.safetensors", {"0.weight": w, "0.bias": b}, {"spec": "dense 3", "input": "4x4x1"})
    check_run(run("import", file, "-o", out), 3, "expected floats of shape (16, 3)")


with folder() as work:
    data = f"{work}/data"
    images = make_data(data).astype(np.float32)[..., None] / np.float32(255)
    for name, spec in NETS.items():
        model = f"{work}/{name}.safetensors"
        check_run(run("train", data, "-o", model, "--net", spec, "--epochs", 6, "--batch", 20, "--val", 20), 0)
        check_run(run("export", model, "-o", f"{work}/{name}.npz"), 0, f"saved {work}/{name}.npz (")
        check_run(run("export", model, "-o", f"{work}/{name}.copy.safetensors"), 0, "copy.safetensors")
        for ending in ("npz", "safetensors"):
            check_run(run("export", model, "-o", f"{work}/{name}.torch.{ending}", "--layout", "torch"), 0, "for nn.Sequential(")
        test_arrays(model, name, work)
        for ending, net in (("npz", [spec]), ("copy.safetensors", []), ("torch.npz", [spec]), ("torch.safetensors", [])):
            exported, back = f"{work}/{name}.{ending}", f"{work}/{name}.back.safetensors"
            check_run(run("verify", model, exported), 0, "probability  0\n", "same bits     100 of 100")
            check_run(run("import", exported, "-o", back, *(["--net", *net] if net else [])), 0, "parameters")
            if not net:
                check(read(back) == read(model), f"{ending}: {name} comes back, byte for byte")
        test_torch(model, name, images, work)
    check_run(run("verify", f"{work}/notebook.safetensors", f"{work}/convs.npz"), 3, "convs.npz: array '0.weight'")
    test_refusals(work)
finish()
