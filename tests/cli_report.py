"""Reports: the page, Markdown and JSON of real small runs; logs that are malformed; the sparkline, the coloured matrix."""
import base64
import html.parser
import json
import os
import pty
import re
import struct
import subprocess
import zlib

import numpy as np

from helper import PROGRAM, check, check_run, environment, finish, folder, idx, read, run, write

COUNTS = {"train": 600, "t10k": 200}
WRONG_LABELS = range(100, 160, 10)  # of the training images
NASTY = "<script>alert('&\"|*')"
VOID = {"meta", "img", "br"}


def make_data(path):
    """Bars whose height is the class, in noise that hides some of them; a few training labels are wrong."""
    random = np.random.RandomState(0)
    os.mkdir(path)
    for name, count in COUNTS.items():
        labels = np.arange(count) % 10
        images = random.randint(0, 40, (count, 28, 28))
        strength = np.where(random.rand(count) < (0.5 if name == "t10k" else 0), 35, 250)
        images[np.arange(count)[:, None], (4 + 2 * labels)[:, None], 4:24] = strength[:, None, None]
        if name == "train":
            labels = labels.copy()
            labels[list(WRONG_LABELS)] = (labels[list(WRONG_LABELS)] + 5) % 10
        write(f"{path}/{name}-images-idx3-ubyte", idx(images))
        write(f"{path}/{name}-labels-idx1-ubyte", idx(labels))
    return images


class Page(html.parser.HTMLParser):
    """What a page is made of; checks that every element ends where it should."""

    def __init__(self, text):
        super().__init__()
        self.open, self.all, self.words, self.cells = [], [], [], []
        self.feed(text)
        self.close()
        check(self.open == [], f"every element is closed, left: {self.open}")

    def handle_starttag(self, tag, attributes):
        self.all.append((tag, dict(attributes)))
        if tag == "td":
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.all.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}")
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data

    def text(self):
        return " ".join("".join(self.words).split())

    def named(self, tag):
        return [attributes for name, attributes in self.all if name == tag]


def decode_png(data):
    """The pixels of a PNG of 8 bits, grey or RGB: (H, W, C)."""
    at, body = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += size + 12
    channels = {0: 1, 2: 3}[colour]
    check(depth == 8, f"a PNG of {depth} bits")
    raw, pitch = zlib.decompress(body), width * channels
    out = np.zeros((height + 1, pitch + channels), int)  # a row and a pixel of zeros before the first
    for y in range(height):
        kind, row = raw[y * (pitch + 1)], raw[y * (pitch + 1) + 1:(y + 1) * (pitch + 1)]
        for x in range(pitch):
            left, up, corner = out[y + 1, x], out[y, x + channels], out[y, x]
            paeth = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                        (abs(left + up - 2 * corner), 2, corner))[2]
            out[y + 1, x + channels] = (row[x] + [0, left, up, (left + up) // 2, paeth][kind]) % 256
    return out[1:, channels:].reshape(height, width, channels)


def probabilities(work, split):
    pictures = [f"{work}/data/{split}-images-idx3-ubyte:{i}" for i in range(COUNTS[split])]
    lines = run("predict", f"{work}/model.safetensors", *pictures, "--json", "--top", 10).out.splitlines()
    p = np.zeros((len(lines), 10))
    for i, line in enumerate(lines):
        for row in json.loads(line)["top"]:
            p[i, row["index"]] = row["probability"]
    return p


def test_numbers(work, told):
    """The numbers of JSON: those of eval, and those that NumPy gets from predict."""
    result = json.loads(run("eval", "model.safetensors", "data", "--json", cwd=work).out)
    measured = told["measured"]
    for key in ("data", "split", "count", "correct", "accuracy", "accuracy_low", "loss", "classes", "confusion"):
        check(measured[key] == result[key], f"report and eval: {key}: {measured[key]} and {result[key]}")
    check(20 < result["correct"] < 195, f"the data is neither too hard nor too easy for the test: {result['correct']}")

    p, labels = probabilities(work, "t10k"), np.arange(COUNTS["t10k"]) % 10
    confidence, right = p.max(1), p.argmax(1) == labels
    bins = np.minimum((confidence * 10).astype(int), 9)
    error = sum(abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in range(10)) / len(p)
    check(abs(measured["calibration_error"] - error) < 1e-6, f"calibration: {measured['calibration_error']}, {error}")
    for b, row in enumerate(measured["calibration"]):
        mean = [confidence[bins == b].mean(), right[bins == b].mean()] if (bins == b).any() else [0, 0]
        check(row["count"] == (bins == b).sum() and np.allclose([row["confidence"], row["accuracy"]], mean, atol=1e-6),
              f"bin {b}: {row}, expected {mean}")
    own = p[np.arange(len(p)), labels]
    wrong = [i for i in np.argsort(own, kind="stable") if not right[i]]
    found = measured["mistakes"]
    check(found["count"] == len(wrong) and len(found["first"]) == min(24, len(wrong)), f"mistakes: {found['count']}")
    check([m["index"] for m in found["first"]] == wrong[:24], "the worst mistakes, the worst first")
    check(all(m["label"] == str(m["index"] % 10) and m["answer"] == str(p[m["index"]].argmax()) and
              abs(m["label_probability"] - own[m["index"]]) < 1e-6 for m in found["first"]), "what they are")

    p, labels = probabilities(work, "train"), np.arange(COUNTS["train"]) % 10
    labels[list(WRONG_LABELS)] = (labels[list(WRONG_LABELS)] + 5) % 10
    threshold = np.array([p[labels == c, c].mean() for c in range(10)])
    answer, own = p.argmax(1), p[np.arange(len(p)), labels]
    doubtful = [i for i in np.argsort(own - p.max(1)) if answer[i] != labels[i] and p[i].max() >= threshold[answer[i]]]
    found = [m["index"] for m in told["doubtful"]["first"]]
    check(told["doubtful"]["split"] == "train" and found == doubtful, f"doubtful labels: {found}, expected {doubtful}")
    check(len(found) > 1 and set(found) <= set(WRONG_LABELS), f"they are labels that are wrong: {found}")
    check([e["epoch"] for e in told["epochs"]] == list(range(1, 9)) and told["start"]["val"] == 60, "the log is in it")
    check(told["model"]["bytes"] == os.path.getsize(f"{work}/model.safetensors"), "the size of the model")
    return result


def test_page(work, text, told, result, images):
    page = Page(text)
    words = page.text()
    check(not page.named("script") and not page.named("link") and "@import" not in text and "url(" not in text,
          "no script, no style sheet, nothing from elsewhere")
    sources = [a[key] for _, a in page.all for key in ("src", "href", "srcset", "data", "action") if key in a]
    check(sources and all(s.startswith("data:image/png;base64,") for s in sources), "pictures are in the page itself")
    check(all(a.get("alt") for a in page.named("img")), "every picture has a text")
    drawings = page.named("svg")
    check(len(drawings) == 4 and all(a.get("role") == "img" and a.get("aria-label") for a in drawings), "four drawings")
    check("prefers-color-scheme:dark" in text and "@media print" in text, "light, dark, and on paper")
    for number in (f"{100 * result['accuracy']:.2f}%", f"{result['loss']:.4f}",
                   f"{100 * told['measured']['calibration_error']:.2f}%", "train data -o model.safetensors"):
        check(number in words, f"{number} is on the page")
    check('augment</th><td>none</td>' in text, "an option without a text is none")
    wanted = [str(n) for row in result["confusion"] for n in row]
    check(any(page.cells[i:i + 100] == wanted for i in range(len(page.cells))) or
          [c for c in page.cells if c.isdigit()][:100] == wanted, "the confusion matrix is on the page, cell by cell")
    for c in result["classes"]:
        check(f"{100 * c['recall']:.2f}%" in words and f"{100 * c['f1']:.2f}%" in words, f"class {c['name']}")
    pictures = [a for a in page.named("img") if a["alt"].startswith("Image ")]
    for picture, miss in zip(pictures, told["measured"]["mistakes"]["first"]):
        pixels = decode_png(base64.b64decode(picture["src"].partition(",")[2]))
        check(f"Image {miss['index']}: label {miss['label']}, answer {miss['answer']}" == picture["alt"] and
              (pixels[..., 0] == images[miss["index"]]).all(), f"the picture of {miss['index']}")
    filters = decode_png(base64.b64decode(page.named("img")[-1]["src"].partition(",")[2]))
    check(filters.shape == (28, 16 * 29 - 1, 3), f"16 filters in a row, found {filters.shape}")
    curves = re.findall(r'class="line c0( dashed)?" d="M([^"]+)"', text)
    check(len(curves) == 5 and all(c.count("L") == 7 for _, c in curves), "two curves twice, and one, of eight epochs")
    rates = [float(point.split()[1]) for point in curves[4][1].split("L")]
    check(rates[-1] == max(rates), "the learning rate ends lowest")


def test_forms(work):
    done = run("report", "log.jsonl", "--format", "md", cwd=work)
    check_run(done, 0, "# log.jsonl", "| accuracy |", "| 8 |", "| class | images |", "    ")
    rows = re.findall(r"^\| (\d+) \| \d\.\d{4} \| [\d.]+% \| \d\.\d{4} \| [\d.]+% \| \S+ \|$", done.out, re.M)
    check(rows == list("12345678"), f"a row an epoch, found {rows}")
    check(run("report", "log.jsonl", cwd=work).out.startswith("<!DOCTYPE html>"), "a page is the default")

    both = run("report", "log.jsonl", "model.safetensors", "-o", "both.html", cwd=work)
    check_run(both, 0)
    text = read(f"{work}/both.html").decode()
    check(text.count("<h3>Confusion</h3>") == 2 and "Runs compared" in text and "swatch c1" in text, "two runs")
    check_run(run("report", *["log.jsonl"] * 9, cwd=work), 2, "unexpected argument")

    check_run(run("eval", "model.safetensors", "data", "--report", "eval.html", cwd=work), 0, "accuracy")
    parts = [re.sub(r"<dt>one image.*?</div>", "", name) for name in
             (read(f"{work}/eval.html").decode(), run("report", "model.safetensors", cwd=work).out)]
    check(parts[0] == parts[1], "eval --report is the report of the model")
    check(read(f"{work}/train.html").count(b'class="line') == 5, "train --report has the curves without --log too")
    untested = json.loads(run("report", "model.safetensors", "--data", f"{work}/data/t10k-images-idx3-ubyte", "--format",
                              "json", cwd=work).out)["runs"][0]
    check(untested["measured"]["split"] == "all" and untested["measured"]["count"] == 200, "a data set without splits")


def test_escaping(work):
    """Names that are markup stay text, wherever they come from."""
    model = read(f"{work}/model.safetensors")
    size = struct.unpack("<Q", model[:8])[0]
    header = json.loads(model[8:8 + size])
    header["__metadata__"]["classes"] = json.dumps([NASTY + str(c) for c in range(10)])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    name = NASTY.replace("/", "") + ".safetensors"
    write(f"{work}/{name}", struct.pack("<Q", len(text)) + text + model[8 + size:])
    done = run("report", name, "--data", "data", cwd=work)
    check_run(done, 0)
    page = Page(done.out)
    check(not page.named("script") and "<script" not in done.out and NASTY + "3" in page.text(), "names are escaped")
    check(any(NASTY in a["alt"] for a in page.named("img")), "in attributes too")
    done = run("report", name, "--data", "data", "--format", "md", cwd=work)
    check("<script" not in done.out.replace("\\<", "") and "\\|\\*" in done.out, "Markdown is escaped")


def test_logs(work):
    """Logs that are cut, resumed, and malformed."""
    log = read(f"{work}/log.jsonl").decode()
    start, *epochs, end = log.splitlines(keepends=True)
    write(f"{work}/cut.jsonl", (start + "".join(epochs[:5])).encode())
    done = run("report", "cut.jsonl", "--format", "json", cwd=work)
    check_run(done, 0, "does not come to the end")
    cut = json.loads(done.out)["runs"][0]
    check(len(cut["epochs"]) == 5 and "measured" not in cut, "a run that has not ended: the curves alone")
    Page(run("report", "cut.jsonl", cwd=work).out)

    again = json.dumps(json.loads(start) | {"resumed": True}) + "\n"
    fourth = json.dumps(json.loads(epochs[3]) | {"loss": 7.5}) + "\n"
    write(f"{work}/resumed.jsonl", (start + "".join(epochs[:5]) + again + fourth + "".join(epochs[4:]) + end).encode())
    told = json.loads(run("report", "resumed.jsonl", "--format", "json", cwd=work).out)["runs"][0]
    check([e["epoch"] for e in told["epochs"]] == list(range(1, 9)) and told["epochs"][3]["loss"] == 7.5,
          "epochs told twice: the later line counts")
    write(f"{work}/gone.jsonl", (start + epochs[0] + json.dumps({"event": "end", "model": "gone"}) + "\n").encode())
    check_run(run("report", "gone.jsonl", "--format", "md", cwd=work), 0, "inkling: gone:", "| 1 |")
    check_run(run("report", "nothing.jsonl", cwd=work), 1, "nothing.jsonl")

    def changed(line, **values):
        return json.dumps(json.loads(line) | values) + "\n"
    bad = {
        "empty": ("", "line 1", "found the end"),
        "no JSON": (start + "epoch 1\n", "line 2", "column"),
        "half a line": (start + epochs[0] + epochs[1][:40], "line 3"),
        "another thing": ('{"a": 1}\n', "line 1", "train --log"),
        "no object": ("[1]\n", "line 1"),
        "no start": (epochs[0], "line 1", "start"),
        "two runs": (start + epochs[0] + start, "line 3", "second run"),
        "network": (changed(start, network=3), "line 1", '"network"'),
        "loss": (start + changed(epochs[0], loss="low"), "line 2", '"loss"', "or null"),
        "accuracy": (start + epochs[0] + changed(epochs[1], accuracy=1.5), "line 3", '"accuracy"', "from 0 to 1"),
        "epoch": (start + changed(epochs[0], epoch=0), "line 2", '"epoch"', "from 1"),
        "huge": (start + changed(epochs[0], epoch=1e300), "line 2", '"epoch"'),
        "model": (start + '{"event": "end", "model": null}\n', "line 2", '"model"'),
        "twice": (start + '{"event": "epoch", "event": "end"}\n', "line 2", "duplicate"),
        "deep": (start + "[" * 100000 + "\n", "line 2"),
        "long": (start + '{"a": "' + "a" * 1100000 + '"}\n', "line 2", "no end"),
        "zeros": ("\0" * 4, "line 1"),
    }
    for name, (content, *words) in bad.items():
        write(f"{work}/bad.jsonl", content.encode())
        done = run("report", "bad.jsonl", "-o", "bad.html", cwd=work)
        check_run(done, 3, "bad.jsonl: ", *words)
        check(done.err.count("\n") == 1 and not os.path.exists(f"{work}/bad.html"), f"{name}: one line, no file: {done}")
    for nulls in (changed(epochs[0], val_loss=None, val_accuracy=None, loss=None),):
        write(f"{work}/nulls.jsonl", (start + nulls).encode())
        done = run("report", "nulls.jsonl", cwd=work)
        check_run(done, 0)
        check("nan" not in Page(done.out).text() and "inf" not in done.out, "what there was not is not drawn")


def test_writing(work):
    check_run(run("report", "log.jsonl", "-o", "no/such.html", cwd=work), 1, "no/such.html")
    check_run(run("train", "data", "-o", "m", "--report", "no/such.html", cwd=work), 1, "no/such.html")
    check(not os.path.exists(f"{work}/m"), "a report that cannot be written is found out before the training")
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            check_run(run("report", "log.jsonl", cwd=work, stdout=full), 1, "standard output: cannot write")


def test_untested(work):
    """Who leaves the test images alone gets no number of them."""
    check_run(run("train", "data", "-o", "m", "--epochs", 1, "--no-test", "--report", "untested.html", cwd=work), 0)
    text = Page(read(f"{work}/untested.html").decode()).text()
    check("Confusion" not in text and "Loss" in text and "Layers" in text, "no test image is looked at")


def test_terminal(work):
    plain = run("eval", "model.safetensors", "data", "--confusion", cwd=work).out
    colour = run("eval", "model.safetensors", "data", "--confusion", "--color", "always", cwd=work).out
    check("\x1b" not in plain and colour.count("\x1b[38;2;") >= 10, "the matrix in colour where it is asked for")
    check([re.sub(r"\x1b\[[\d;]*m", "", line).split() for line in colour.splitlines()] ==
          [line.split() for line in plain.splitlines()], "and the same numbers")

    for locale, levels in (("C.UTF-8", "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"), ("C", "_.-=+*#%")):
        master, slave = pty.openpty()
        process = subprocess.Popen([PROGRAM, "train", "synthetic", "-o", f"{work}/s", "--limit", "6000", "--epochs", "8"],
                                   stderr=slave, stdout=subprocess.DEVNULL, env=environment(LC_ALL=locale))
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 65536):
                shown += part
        except OSError:  # the other side is closed
            pass
        os.close(master)
        check(process.wait() == 0, f"training on a terminal: {process.returncode}")
        bars = [bar for bar in re.findall(r"\r\x1b\[K(epoch [^\r\n]*\[[^\r\n]*)", shown.decode())]
        sparks = [re.search(rf" left [{re.escape(levels)}]+ *$", bar) for bar in bars]
        check(bars and all(sparks), f"{locale}: a sparkline beside every bar, found {bars[:3]}")
        check(all(len(bar) < 80 for bar in bars), f"{locale}: bars within the terminal: {max(map(len, bars), default=0)}")


with folder() as work:
    images = make_data(f"{work}/data")
    options = ["--net", "dense 16 sigmoid, dense 10", "--optimizer", "adam", "--lr", 0.01, "--init", "xavier", "--batch",
               30, "--epochs", 8, "--val", 60, "--schedule", "cosine", "--report", "train.html"]
    check_run(run("train", "data", "-o", "other", *options, cwd=work), 0, "saved")
    check_run(run("train", "data", "-o", "model.safetensors", *options, "--log", "log.jsonl", cwd=work), 0, "saved")
    done = run("report", "log.jsonl", "--format", "json", cwd=work)
    check_run(done, 0)
    told = json.loads(done.out)["runs"][0]
    result = test_numbers(work, told)
    check_run(run("report", "log.jsonl", "-o", "report.html", cwd=work), 0)
    test_page(work, read(f"{work}/report.html").decode(), told, result, images)
    test_forms(work)
    test_escaping(work)
    test_logs(work)
    test_writing(work)
    test_untested(work)
    test_terminal(work)
finish()
