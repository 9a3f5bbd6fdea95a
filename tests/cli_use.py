"""Using a model: eval, predict and show, on good files and on bad ones."""
import json
import os
import struct

import numpy as np

from helper import check, check_run, environment, finish, folder, idx, make_data, pgm, png, read, run, write


def test_eval(model, data):
    done = run("eval", model, data)
    check_run(done, 0, "200 images of test", "accuracy", "95% interval", "loss", "precision", "recall", "F1")
    check("confusion" not in done.out, "the confusion matrix is shown only where it is asked for")
    check_run(run("eval", model, data, "--confusion"), 0, "confusion", " 20 ")

    result = json.loads(run("eval", model, data, "--json").out)
    confusion = np.array(result["confusion"])
    check(result["count"] == 200 == confusion.sum() and result["correct"] == np.trace(confusion), "eval --json: counts")
    check(abs(result["accuracy"] - result["correct"] / 200) < 1e-9, "eval --json: accuracy is in [0, 1]")
    check(result["accuracy"] > 0.9, f"eval --json: an easy data set is learnt, found {result['accuracy']}")
    check(result["accuracy_low"] <= result["accuracy"] <= result["accuracy_high"], "eval --json: interval")
    for c, row in enumerate(result["classes"]):
        precision = confusion[c, c] / max(confusion[:, c].sum(), 1)
        recall = confusion[c, c] / confusion[c].sum()
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
        check(row["name"] == str(c) and row["count"] == 20, f"eval --json: class {c}")
        check(np.allclose([row["precision"], row["recall"], row["f1"]], [precision, recall, f1], atol=1e-7),
              f"eval --json: class {c}: {row} against {precision, recall, f1}")
    shifted = json.loads(run("eval", model, data, "--json", "--shifts", 1).out)
    check({k: v for k, v in shifted.items() if k != "shifted"} == result and shifted["shifted"]["shifts"] == 1 and
          shifted["shifted"]["accuracy"] == shifted["shifted"]["correct"] / 200, "eval --shifts: told apart")
    check_run(run("eval", model, data, "--shifts", 2), 0, "accuracy", "shifted", "the mean over shifts by up to 2 pixels")
    one = run("eval", model, data, "--json", "--threads", 1).out
    check(one == run("eval", model, data, "--json", "--threads", 2).out, "eval: the same for 1 and 2 threads")
    check(json.loads(run("eval", model, data, "--json", "--split", "train").out)["count"] == 600, "eval --split train")
    check(json.loads(run("eval", model, f"{data}/t10k-images-idx3-ubyte", "--json").out)["correct"] ==
          result["correct"], "eval: an image file is a data set")

    check_run(run("eval", model, data, "--min-accuracy", 0.5), 0)
    check_run(run("eval", model, "synthetic", "--min-accuracy", 0.99), 4, "below --min-accuracy 0.99", "accuracy")
    below = run("eval", model, "synthetic", "--min-accuracy", 0.99, "--json")
    check(below.code == 4 and json.loads(below.out)["count"] == 2000, "eval: the result is printed all the same")


def test_predict(model, data, labels, images, work):
    index = 7
    expected = str(labels[index])
    by_index = run("predict", model, f"{data}:{index}")
    check_run(by_index, 0, f"{data}:{index}: {expected}, right: the label is {expected}", "%")
    check(len(by_index.out.splitlines()) == 4, "predict: the answer and the top 3, no picture off a terminal")
    check(len(run("predict", model, f"{data}:{index}", "--show").out.splitlines()) == 18, "predict --show: 14 lines")
    check("\x1b[38;2;" in run("predict", model, f"{data}:{index}", "--show", "--color", "always").out, "--color always")
    check("\x1b" not in run("predict", model, f"{data}:{index}", "--show").out, "no colours off a terminal")
    check_run(run("predict", model, f"{data}:{index}", env=environment(LC_ALL="C.UTF-8")), 0, "\u2588")

    # The same pixels by any road give the same answer.
    pictures = {"grey.png": png(images[index]), "grey.pgm": pgm(images[index]),
                "colour.png": png(np.repeat(images[index][..., None], 3, 2))}
    reference = json.loads(run("predict", model, f"{data}:{index}", "--json").out)
    for name, content in pictures.items():
        path = write(f"{work}/{name}", content)
        for done in (run("predict", model, path, "--raw", "--json"),
                     run("predict", model, "-", "--raw", "--json", stdin=content)):
            check_run(done, 0)
            check(json.loads(done.out)["top"] == reference["top"], f"predict {name}: {done.out} against {reference}")
    check(reference["answer"] == reference["truth"] == expected and len(reference["top"]) == 3, "predict --json")
    check(reference["top"][0]["probability"] >= reference["top"][1]["probability"], "predict: most probable first")
    everything = json.loads(run("predict", model, f"{data}:{index}", "--json", "--top", 99).out)["top"]
    check(len(everything) == 10 and abs(sum(row["probability"] for row in everything) - 1) < 1e-5, "predict --top 99")

    # A digit of ink on paper, anywhere and of any size, is the same digit to the network.
    canvas = np.full((90, 120), 240)
    canvas[20:60, 30:36] = 10
    moved = np.roll(canvas, (15, 40), (0, 1))
    answers = [json.loads(run("predict", model, "-", "--json", stdin=png(picture)).out)["top"]
               for picture in (canvas, moved, 255 - canvas, np.repeat(canvas[..., None], 3, 2))]
    check(all(answer == answers[0] for answer in answers), f"predict: position and polarity do not matter: {answers}")

    # A bad picture does not keep the others from being seen, and gives the exit code.
    bad = write(f"{work}/bad.png", pictures["grey.png"][:60])
    blank = write(f"{work}/blank.png", png(np.full((30, 30), 128)))
    done = run("predict", model, f"{data}:0", bad, f"{work}/missing.png", f"{data}:1")
    check_run(done, 3, f"{data}:0:", f"{data}:1:", "bad.png", "missing.png: cannot open")
    check(len(done.err.splitlines()) == 2 and all(s.startswith("inkling: ") for s in done.err.splitlines()),
          f"predict: a line for each bad picture: {done.err}")
    check_run(run("predict", model, blank), 3, "blank.png")
    check_run(run("predict", model, f"{work}/missing.png"), 1, "missing.png")
    check_run(run("predict", model, "-"), 3, "standard input")
    check_run(run("predict", model, work), 1, "cannot read")
    check_run(run("predict", model, f"{data}:200"), 2, "found index 200", "below 200")
    check_run(run("predict", model, f"{data}:99999999999999999999"), 2, "below 200")
    check_run(run("predict", model, f"{work}/nothing:3"), 1, "nothing")
    colon = write(f"{work}/photo:3", pictures["grey.png"])
    check_run(run("predict", model, colon, "--raw"), 0, f"photo:3: {expected}")


def test_show(model, data):
    check_run(run("show", model), 0, "dense 16 sigmoid, dense 10", "28 x 28 x 1", "12,560", "12,730", "seed: 0")
    shown = json.loads(run("show", model, "--json").out)
    check(shown["parameters"] == 12730 == sum(layer["parameters"] for layer in shown["layers"]), "show --json: model")
    check(shown["input"] == [28, 28, 1] and len(shown["classes"]) == 10, "show --json: input and classes")
    check(shown["network"] == "dense 16 sigmoid, dense 10" and shown["metadata"]["seed"] == "0", "show --json: net")
    done = run("show", data)
    check_run(done, 0, "10 classes", "train", "test", "600", "200", "60", "20", "::--")
    shown = json.loads(run("show", data, "--json").out)
    check(shown["shape"] == [28, 28, 1] and shown["splits"]["train"]["class_counts"] == [60] * 10, "show --json: data")
    check(shown["splits"]["test"]["count"] == 200, "show --json: test split")
    file = json.loads(run("show", f"{data}/t10k-images-idx3-ubyte", "--json").out)
    check(list(file["splits"]) == ["all"] and file["splits"]["all"]["count"] == 200, "show: a file is one set")


def test_malformed(model, data, work):
    good = read(model)
    header = struct.unpack("<Q", good[:8])[0]
    bad = {"empty": b"", "short": good[:5], "no tensors": good[:8 + header], "cut": good[:-1], "longer": good + b"\0",
           "huge header": struct.pack("<Q", 1 << 62) + good[8:], "html": b"<!DOCTYPE html><html></html>",
           "not JSON": good[:8] + b"x" + good[9:]}
    for name, content in bad.items():
        path = write(f"{work}/{name}.safetensors", content)
        for arguments in (["eval", path, data], ["predict", path, f"{data}:0"], ["show", path]):
            done = run(*arguments)
            check_run(done, 3, f"inkling: {path}: ")
            check(done.out == "" and done.err.count("\n") == 1, f"{name}: one line on stderr alone: {done.err!r}")
    check_run(run("eval", f"{work}/missing", data), 1, "missing")
    check_run(run("eval", model, "mnits"), 1, "mnits", "mnist")
    # A model and data that do not fit each other.
    small = f"{work}/small"
    os.mkdir(small)
    for split in ("train", "t10k"):
        write(f"{small}/{split}-images-idx3-ubyte", idx(np.ones((20, 8, 8))))
        write(f"{small}/{split}-labels-idx1-ubyte", idx(np.arange(20) % 10))
    check_run(run("eval", model, small), 3, "28", "8")
    check_run(run("predict", model, f"{small}:0"), 3, "8 x 8 x 1", "28 x 28 x 1")


with folder() as work:
    data, model = f"{work}/data", f"{work}/model.safetensors"
    images = make_data(data, 600, 200)
    labels = np.arange(200) % 10
    trained = run("train", data, "-o", model, "--net", "dense 16 sigmoid, dense 10", "--optimizer", "adam",
                  "--lr", 0.01, "--init", "xavier", "--batch", 10, "--epochs", 6)
    check_run(trained, 0, "saved", "test accuracy")
    test_eval(model, data)
    test_predict(model, data, labels, images, work)
    test_show(model, data)
    test_malformed(model, data, work)
finish()
