"""A model as a page: in Chromium it gives the bits of `inkling predict`. With a folder as second argument, takes screenshots."""
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np

from exported import NETS, ROOT, write_model
from helper import check, check_run, environment, finish, folder, make_data, png, read, run, write

TESTS = ROOT / "tests"
NAMES = ["</script><!-- <script>", "\u4e03 \"7\"", "a & b"]


def draw_pictures(work):
    """Strokes of many sizes, colours and grounds; the last is empty."""
    random = np.random.RandomState(0)
    pictures = [str(ROOT / "examples/digit.png")]
    for i, (height, width) in enumerate([(28, 28), (20, 33), (64, 48), (300, 200), (601, 777), (700, 1024), (90, 90)]):
        ground, ink = ((240, 250, 235), (20, 10, 90)) if i % 2 else ((10, 12, 20), (250, 180, 90))
        pixels = np.full((height, width, 3), ground) + random.randint(-4, 5, (height, width, 3))
        for _ in range(3):
            (y0, x0), (y1, x1) = random.rand(2, 2) * (0.7, 0.7) + 0.15
            y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
            t = np.clip(((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2), 0, 1)
            pixels[np.hypot(y - y0 - t * (y1 - y0), x - x0 - t * (x1 - x0)) < 0.04] = ink
        pictures.append(write(f"{work}/picture{i}.png", png(pixels[:, :, 0] if i == 2 else pixels)))
    return pictures + [write(f"{work}/empty.png", png(np.full((50, 60), 200)))]


def make_strange(work):
    """Colour, pictures as they are, means and deviations, and texts that would end a script."""
    random = np.random.RandomState(1)
    shapes = {"0.weight": (3, 3, 3, 4), "0.bias": (4,), "2.weight": (24, 5), "2.bias": (5,), "3.weight": (5, 3), "3.bias": (3,)}
    return write_model(f"{work}/strange.safetensors",
                       {"format": "inkling-1", "spec": "conv 4 3x3 pad 1 leaky 0.3, pool 2, dense 5 tanh, dense 3", "input": "7x5x3",
                        "classes": json.dumps(NAMES), "mean": "[0.5, 0.25, 0.1]", "deviation": "[0.3, 1, 2]", "fit": "raw",
                        "dataset": "a </script> <b>", "seed": "1"},
                       {name: random.randn(*shape) for name, shape in shapes.items()})


def test_file(model, page, work):
    check_run(run("export", model, "-o", page), 0, f"saved {page} (")
    text = read(page)
    check_run(run("export", model, "--format", "html", "-o", page), 0)
    check(read(page) == text, "the same model gives the same page")
    text = text.decode()
    check(not re.search(r"""(src|href)=["'](?!data:)|@import|url\(|https?://""", text), "a page asks nobody for anything")
    check(text.count("<script") == text.count("</script>") == 2, "no text of the network's ends a script")
    network = json.loads(re.search(r'id="network">(.*?)</script>', text, re.S).group(1))
    check(set(network) == {"model", "constants", "code"}, f"a network of {set(network)}")
    check([call[0] for call in network["model"]["calls"]] == re.findall(r"^    (infer_\w+)\(", in_c(model, work), re.M),
          "the page makes the calls of the C file")
    check_run(run("export", model, "-o", f"{work}/none/net.html"), 1, "none/net.html")


def in_c(model, work):
    """The C file's NAME_predict."""
    run("export", model, "-o", f"{work}/same.c")
    return re.search(r"^void same_predict.*?^}", read(f"{work}/same.c").decode(), re.M | re.S).group(0)


def test_refusals(model, data, work):
    integers = f"{work}/int8.safetensors"
    check_run(run("export", model, "--format", "int8", "--data", data, "--max-drop", 100, "-o", integers), 0)
    check_run(run("export", integers, "-o", f"{work}/int8.html"), 2, "int8.html: a page computes with floats")
    check(not os.path.exists(f"{work}/int8.html"), "no page is left where there is none")


def expected(model, picture):
    """What `predict` gives: probabilities by class; None where it sees nothing."""
    done = run("predict", model, picture, "--json", "--top", 10)
    return None if done.code != 0 else {top["class"]: np.float32(top["probability"]) for top in json.loads(done.out)["top"]}


def compare(model, page, pictures):
    for picture, answer in zip(pictures, json.loads(read(f"{page}.json"))):
        known = expected(model, picture)
        if known is None or answer is None:
            check(known is None and answer is None, f"{page}, {picture}: {known}, {answer}")
            continue
        found = {name: np.float32(share) for name, share in answer}
        check(found.keys() == known.keys(), f"{page}, {picture}: the classes {list(found)}")
        check(all(found[name] == p for name, p in known.items()), f"{page}, {picture}: the bits of predict: {found}, {known}")


def why_no_browser():
    if not shutil.which("node") or not (TESTS / "node_modules/playwright-core").exists():
        return "node or playwright-core is missing (script/bootstrap test)"
    return "" if os.path.exists("/usr/bin/chromium") else "chromium is missing (script/bootstrap test)"


with folder() as work:
    if "+html" not in run("--version").out:
        check_run(run("export", make_strange(work), "-o", f"{work}/strange.html"), 1, "this build writes no pages")
        finish()
    data = f"{work}/data"
    make_data(data)
    pictures = draw_pictures(work)
    models = {"strange": make_strange(work)}
    for name, spec in NETS.items():
        models[name] = f"{work}/{name}.safetensors"
        check_run(run("train", data, "-o", models[name], "--net", spec, "--epochs", 12, "--batch", 20, "--val", 20), 0)
    for name, model in models.items():
        test_file(model, f"{work}/{name}.html", work)
    test_refusals(models["notebook"], data, work)

    if why_no_browser():
        print("not run in a browser:", why_no_browser())
        finish()
    known = {key: value for key, value in os.environ.items() if key == "INKLING_DATA"}
    tasks = {"pages": [{"page": f"{work}/{name}.html", "pictures": pictures} for name in models]}
    if run("show", "mnist", "--json", env=environment(**known)).code == 0:
        lenet = f"{work}/lenet.safetensors"
        check_run(run("train", "mnist", "-o", lenet, "--net", "lenet", "--epochs", 2, "--quiet", env=environment(**known)), 0)
        check_run(run("export", lenet, "-o", f"{work}/lenet.html"), 0)
        tasks["reads"] = f"{work}/lenet.html"
        tasks["pages"].append({"page": f"{work}/lenet.html", "pictures": pictures})
        models["lenet"] = lenet
    else:
        print("MNIST is missing: no handwriting is read (inkling fetch mnist)")
    write(f"{work}/tasks.json", json.dumps(tasks).encode())
    done = subprocess.run(["node", TESTS / "page/html.mjs", f"{work}/tasks.json", *sys.argv[2:]], capture_output=True, text=True,
                          timeout=500)
    print(done.stdout, done.stderr)
    check(done.returncode == 0, "the pages in a browser")
    for name, model in models.items():
        compare(model, f"{work}/{name}.html", pictures)
finish()
