"""inkling recipes, and train --recipe: each runs, is what it says, and can be overridden; augmentation and the other options
of training that recipes use."""
import hashlib
import json
import os
import shlex

from helper import check, check_run, finish, folder, read, run

recipes = json.loads(run("recipes", "--json").out)["recipes"]
names = [recipe["name"] for recipe in recipes]


def digest(path):
    return hashlib.sha256(read(path)).hexdigest()


def start_of(log):
    return json.loads(open(log).readline())


def test_list():
    check({"notebook", "mlp", "fast", "tiny", "best", "fashion"} <= set(names) and len(set(names)) == len(names),
          f"the recipes: {names}")
    check(all(recipe["about"] and recipe["data"] in ("mnist", "fashion-mnist") for recipe in recipes), "all are described")
    text = " ".join(run("recipes").out.split())
    for recipe in recipes:
        check(recipe["options"] in text and f"inkling train {recipe['data']} -o MODEL --recipe {recipe['name']}" in text,
              f"{recipe['name']}: printed in full")
        one = run("recipes", recipe["name"], "--json")
        check(json.loads(one.out)["recipes"] == [recipe], f"{recipe['name']} alone")
    check_run(run("recipes", "fsat"), 2, "no recipe 'fsat'", "did you mean 'fast'")
    check_run(run("train", "synthetic", "-o", "m", "--recipe", "fsat"), 2, "found 'fsat'", "did you mean 'fast'")
    check_run(run("train", "synthetic", "-o", "m", "--recipe"), 2, "'--recipe' needs a value, NAME")


def test_smoke(work):
    """Each recipe on some hundred images; its options typed out give the same bytes."""
    small = ["--limit", 240, "--epochs", 1, "--no-test"]
    for recipe in recipes:
        name = recipe["name"]
        done = run("train", "synthetic", "-o", "a", "--recipe", name, *small, "--log", "log", cwd=work)
        check_run(done, 0, "saved a")
        typed = run("train", "synthetic", "-o", "b", *shlex.split(recipe["options"]), *small, cwd=work)
        check(typed.code == 0 and digest(f"{work}/a") == digest(f"{work}/b"), f"{name}: typed out, the same: {typed.err}")
        start = start_of(f"{work}/log")
        check(start["images"] == 240 and start["val"] == 0 and start["epochs"] == 1, f"{name}: all images: {start}")
        if name == "tiny":
            check(start["parameters"] < 10000, f"tiny: {start['parameters']} parameters")
        if name == "mlp":
            check("conv" not in start["network"] and start["augment"] == "", f"mlp: {start}")


def test_order(work):
    """What stands behind --recipe overrides it, what stands before it is overridden."""
    run("train", "synthetic", "-o", "m", "--epochs", 3, "--recipe=fast", "--limit", 60, "--batch", 30, "--no-test",
        "--log", "log", cwd=work)
    start = start_of(f"{work}/log")
    check(start["epochs"] == 1 and start["batch"] == 30 and start["optimizer"] == "muon", f"the order counts: {start}")


def test_options(work):
    """--limit takes the first images; the options of a run are in the model; export gives the same bits."""
    options = ["--net", "conv 4 3x3 pad 1, norm relu, pool 4, dense 10", "--limit", 300, "--epochs", 2, "--val", 50,
               "--normalise", "--ema", 0.25, "--bias-rate", 4, "--augment", "rotate 10,shift 2"]
    done = run("train", "synthetic", "-o", "m", *options, "--log", "log", cwd=work)
    check_run(done, 0, "training on synthetic: 250 images, 50 more for validation", "augmentation: rotate 10,shift 2")
    start = start_of(f"{work}/log")
    check(start["normalise"] is True and start["ema"] == 0.25 and start["bias_rate"] == 4 and
          start["augment"] == "rotate 10,shift 2", f"the log says so: {start}")
    shown = run("show", "m", cwd=work)
    check_run(shown, 0, 'bias_rate=4 ema=0.25 normalise augment="shift 2, rotate 10"')
    check_run(run("export", "m", "-o", "m.c", cwd=work), 0)
    check_run(run("verify", "m", "m.c", "synthetic", cwd=work), 0)
    again = run("train", "synthetic", "-o", "n", *options, "--threads", 3, cwd=work)
    check(again.code == 0 and digest(f"{work}/m") == digest(f"{work}/n"), "the same bytes with other threads")
    check_run(run("train", "synthetic", "-o", "n", "--augment", "rotat 10", cwd=work), 2, "augment: column 1",
              "did you mean 'rotate'")
    plain = run("train", "synthetic", "-o", "n", "--epochs", 1, "--limit", 10**9, "--val", 9000, "--no-test", cwd=work)
    check_run(plain, 0, "1,000 images, 9,000 more")
    os.remove(f"{work}/n")


test_list()
for test in (test_smoke, test_order, test_options):
    with folder() as place:
        test(place)
finish()
