"""Images of one's own: every format in, every format out, and NumPy as the second reader."""
import gzip
import io
import json
import os
import subprocess

import numpy as np

from helper import PROGRAM, check, check_run, environment, finish, folder, idx, pgm, png, read, run, write

random = np.random.RandomState(3)


def make_images(count, shape):
    """Images and labels that a network learns: a bright row, its height the class; classes in order."""
    labels = np.sort(np.arange(count) % 5)
    images = random.randint(0, 40, (count, *shape)).astype(np.uint8)
    images[np.arange(count), 2 + 2 * labels] = 250
    return images, labels.astype(np.uint8)


def write_pictures(path, images, labels, names, encode=png):
    for i, (image, label) in enumerate(zip(images, labels)):
        os.makedirs(f"{path}/{names[label]}", exist_ok=True)
        write(f"{path}/{names[label]}/{i:04}.{encode.__name__}", encode(image))


def read_idx(path):
    """An IDX file, gzipped or not, as an array."""
    content = read(path)
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    dtype, rank = {8: ">u1", 11: ">i2"}[content[2]], content[3]
    shape = np.frombuffer(content, ">u4", rank, 4)
    return np.frombuffer(content, dtype, offset=4 + 4 * rank).reshape(shape)


def csv(images, labels, last=False, heading=None):
    pixels = images.reshape(len(images), -1)
    columns = [pixels, labels[:, None]] if last else [labels[:, None], pixels]
    text = io.StringIO()
    np.savetxt(text, np.hstack(columns), fmt="%d", delimiter=",", header=heading or "", comments="")
    return text.getvalue().lstrip("\n").encode()


def sums(data, *arguments):
    """The SHA-256 of each split."""
    done = run("show", data, "--json", *arguments)
    check(done.code == 0, f"show {data}: {done.err}")
    return {name: split["sha256"] for name, split in json.loads(done.out)["splits"].items()} if done.code == 0 else {}


def folders_alike(a, b):
    """Whether two folders hold the same files with the same bytes."""
    names = [sorted(os.path.relpath(os.path.join(at, name), path) for at, _, files in os.walk(path) for name in files)
             for path in (a, b)]
    return names[0] == names[1] and all(read(f"{a}/{name}") == read(f"{b}/{name}") for name in names[0])


def test_round_trips(work, images, labels, test_images, test_labels):
    """Pictures, IDX, npz, IDX, pictures: the bytes are the same each time round."""
    names = ["ant", "bee", "cat", "dog", "eel"]
    write_pictures(f"{work}/pets/train", images, labels, names)
    write_pictures(f"{work}/pets/test", test_images, test_labels, names)
    steps = (("pets", "idx1"), ("idx1", "1.npz"), ("1.npz", "idx2"), ("idx2", "png1", "--format", "png"),
             ("png1", "idx3"), ("idx3", "gz", "--compress"), ("gz", "2.npz", "--compress"), ("2.npz", "idx4"),
             ("idx4", "png2", "--format", "png"))
    for source, target, *more in steps:
        check_run(run("convert", f"{work}/{source}", "-o", f"{work}/{target}", *more), 0, f"saved {work}/{target}",
                  f"{len(images)} images and {len(test_images)} test images of 16x10x1, 5 classes")
    for i in range(2, 5):
        check(folders_alike(f"{work}/idx1", f"{work}/idx{i}"), f"idx{i} has the bytes of idx1")
    check(folders_alike(f"{work}/png1", f"{work}/png2"), "png2 has the bytes of png1")
    check(read(f"{work}/idx1/classes.txt") == b"ant\nbee\ncat\ndog\neel\n", "the names of the classes go with it")
    check((read_idx(f"{work}/idx1/train-images-idx3-ubyte") == images).all(), "IDX: images")
    check((read_idx(f"{work}/gz/t10k-labels-idx1-ubyte.gz") == test_labels).all(), "gzipped IDX: labels")
    wanted = sums(f"{work}/pets")
    check(set(wanted) == {"train", "test"} and wanted["train"], f"both splits have a SHA-256: {wanted}")
    for data in ("idx1", "1.npz", "png1", "gz", "2.npz"):
        check(sums(f"{work}/{data}") == wanted, f"{data}: the same images as the pictures")
    shown = json.loads(run("show", f"{work}/1.npz", "--json").out)
    check(shown["classes"] == names, "the names come back out of an npz")
    check(len(os.listdir(f"{work}/png1/train/ant")) == (labels == 0).sum(), "a file for each picture")


def test_numpy(work, images, labels, test_images, test_labels):
    """NumPy reads our npz, and we read NumPy's."""
    for name, compressed in (("1.npz", False), ("2.npz", True)):
        arrays = np.load(f"{work}/{name}")
        check(sorted(arrays) == ["class_names", "x_test", "x_train", "y_test", "y_train"], f"{name}: {sorted(arrays)}")
        check(arrays["x_train"].dtype == np.uint8 and (arrays["x_train"] == images).all(), f"{name}: x_train")
        check(arrays["y_test"].dtype == np.uint8 and (arrays["y_test"] == test_labels).all(), f"{name}: y_test")
        check(arrays["class_names"].tolist() == [b"ant", b"bee", b"cat", b"dog", b"eel"], f"{name}: class_names")
        check(subprocess.run(["/usr/bin/python3", "-m", "zipfile", "-t", f"{work}/{name}"], capture_output=True,
                             check=False).returncode == 0, f"{name}: Python's zipfile finds nothing wrong")
    wanted = sums(f"{work}/pets")
    splits = {"x_train": images, "y_train": labels, "x_test": test_images, "y_test": test_labels}
    for save in (np.savez, np.savez_compressed):
        for kind in ("u1", "<i4", ">i8", "<f4", ">u2"):
            save(f"{work}/numpy.npz", **{name: array if name[0] == "x" else array.astype(kind)
                                         for name, array in splits.items()}, class_names=np.array(["ant", "bee", "cat"]))
            check(sums(f"{work}/numpy.npz") == wanted, f"{save.__name__} with labels of {kind}")
        save(f"{work}/numpy.npz", **splits | {"x_train": np.asfortranarray(images), "x_test": test_images.astype(float)})
        check(sums(f"{work}/numpy.npz") == wanted, f"{save.__name__} with images in Fortran's order, and as floats")
    for version in ((1, 0), (2, 0), (3, 0)):
        for name, array in (("x_all", images[..., None]), ("y_all", labels.astype("<i2"))):
            with open(f"{work}/{name}.npy", "wb") as file:
                np.lib.format.write_array(file, array, version=version)
        check(sums(f"{work}/x_all.npy") == {"all": wanted["train"]}, f"an npy of version {version} with labels beside it")
    np.savez(f"{work}/numpy.npz", x=images, y=np.array(list("abc"), dtype=object))
    check_run(run("show", f"{work}/numpy.npz"), 3, "y.npy", "elements of type '|O'")
    np.savez(f"{work}/numpy.npz", x_train=images / 255, y_train=labels)
    check_run(run("show", f"{work}/numpy.npz"), 3, "array 'x_train': number 0 of image 0 is", "0 to 255")


def test_csv(work, images, labels, square):
    """Kaggle's form, and the others; all give the same images."""
    pixels = [f"pixel{i}" for i in range(square[0].size)]
    forms = {"kaggle.csv": csv(square, labels, heading=",".join(["label", *pixels])),
             "bare.csv": csv(square, labels), "last.csv": csv(square, labels, last=True),
             "named.csv": csv(square, labels, last=True, heading=",".join([*pixels, "class"]))}
    forms["dos.csv"] = b"\xef\xbb\xbf" + forms["kaggle.csv"].replace(b"\n", b"\r\n")
    forms["semicolons.csv"] = forms["named.csv"].replace(b",", b";")
    forms["kaggle.csv.gz"] = gzip.compress(forms["kaggle.csv"])
    found = {name: sums(write(f"{work}/{name}", text)) for name, text in forms.items()}
    check(len(set(map(str, found.values()))) == 1 and found["bare.csv"].get("all"), f"every CSV is the same set: {found}")
    for name, note in (("bare.csv", "the first column is taken"), ("last.csv", "the last column is taken")):
        check(f"note: {work}/{name}: {note}" in run("show", f"{work}/{name}").err, f"{name}: says which column")
    check("note" not in run("show", f"{work}/kaggle.csv").err, "a heading leaves nothing to remark")
    check_run(run("convert", f"{work}/kaggle.csv.gz", "-o", f"{work}/csv.npz"), 0, "images of 16x16x1, 5 classes")
    arrays = np.load(f"{work}/csv.npz")
    check((arrays["x"] == square).all() and (arrays["y"] == labels).all() and len(arrays) == 2, "CSV to npz")
    oblong = write(f"{work}/oblong.csv", csv(images, labels))
    check_run(run("show", oblong), 3, "161 columns, 160 besides the label")
    check((np.load(run("convert", oblong, "-o", f"{work}/oblong.npz", "--size", "16x10").out.split()[1])["x"]
           == images).all(), "--size tells the shape of a CSV file that has as many pixels")
    check_run(run("show", write(f"{work}/bad.csv", forms["kaggle.csv"] + b"1,2,3\n")), 3,
              f"line {len(labels) + 2}: 3 columns, expected 257")


def test_colour(work):
    """Colour, other sizes, alpha and palettes, through --size."""
    images = random.randint(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    labels = np.sort(np.arange(20) % 2)
    write_pictures(f"{work}/colour", images, labels, ["x", "y"])
    check_run(run("convert", f"{work}/colour", "-o", f"{work}/colour.npz"), 0, "20 images of 8x8x3")
    check((np.load(f"{work}/colour.npz")["x"] == images).all(), "colours come through")
    check_run(run("convert", f"{work}/colour.npz", "-o", f"{work}/colour2", "--format", "png"), 0)
    check(sums(f"{work}/colour2") == sums(f"{work}/colour"), "colour PNG files are read as they were written")
    check_run(run("convert", f"{work}/colour", "-o", f"{work}/grey.npz", "--size", "4x6x1"), 0, "4x6x1")
    grey = np.load(f"{work}/grey.npz")["x"]
    check(grey.shape == (20, 4, 6), f"resized to {grey.shape}")
    mean = (images @ [0.299, 0.587, 0.114]).reshape(20, -1).mean(1)
    check(abs(grey.reshape(20, -1).mean(1) - mean).max() < 8, "resizing keeps the brightness of each image")
    write(f"{work}/colour/x/odd.pgm", pgm(np.zeros((5, 4))))
    done = run("train", f"{work}/colour", "-o", f"{work}/m")
    check_run(done, 3, "odd.pgm: 5 pixels high and 4 wide, expected 8 and 8", "--size 8x8")
    check(not os.path.exists(f"{work}/m"), "no model of a broken set")
    check_run(run("show", f"{work}/colour", "--size", "8x8"), 0, "21")
    for size in ("8", "8x", "x8", "0x8", "8x8x2", "8x8x3x1", "-8x8", "8x8.5", "9999x8", "axb", ""):
        check_run(run("show", f"{work}/colour", "--size", size), 2, f"--size: found '{size}', expected HxW or HxWxC")


def test_training(work):
    """Training on folders: what is said, what is measured, what the model remembers."""
    pets = f"{work}/pets"
    done = run("train", pets, "-o", f"{work}/pets.st", "--epochs", 8, "--batch", 10, "--lr", 0.02)
    check_run(done, 0, "dense 5", "test accuracy")
    check("note" not in done.err, f"a balanced set with test images leaves nothing to remark: {done.err}")
    shown = json.loads(run("show", f"{work}/pets.st", "--json").out)
    check(shown["classes"] == ["ant", "bee", "cat", "dog", "eel"] and shown["metadata"]["fit"] == "raw", "the model")
    picture = f"{pets}/test/dog/" + sorted(os.listdir(f"{pets}/test/dog"))[0]
    by_file = json.loads(run("predict", f"{work}/pets.st", picture, "--json").out)
    index = sum(len(os.listdir(f"{pets}/test/{name}")) for name in ("ant", "bee", "cat"))
    by_index = json.loads(run("predict", f"{work}/pets.st", f"{pets}:{index}", "--json").out)
    check(by_file["top"] == by_index["top"] and by_index["truth"] == "dog", "a picture is seen as it was trained on")
    result = json.loads(run("eval", f"{work}/pets.st", pets, "--json").out)
    check(result["split"] == "test" and result["accuracy"] > 0.9, f"eval on the test pictures: {result['accuracy']}")

    # One set, not divided: the images held out are what it is measured on.
    whole = f"{pets}/train"
    done = run("train", whole, "-o", f"{work}/whole.st", "--epochs", 8, "--batch", 10, "--val", 30, "--seed", 4)
    check_run(done, 0, "note: no test images beside these: the accuracy to go by", "30 more for validation")
    check("test accuracy" not in done.out, "no test accuracy without test images")
    done = run("eval", f"{work}/whole.st", whole, "--json")
    result = json.loads(done.out)
    check(result["split"] == "validation" and result["count"] == 30 and "held out" in done.err, "eval: held out")
    accuracy = json.loads(run("show", f"{work}/whole.st", "--json").out)["metadata"]["validation_accuracy"]
    check(abs(result["accuracy"] - float(accuracy)) < 1e-5, f"the same as in training: {result['accuracy']}, {accuracy}")
    check_run(run("eval", f"{work}/whole.st", whole), 0, "30 images held out in training")
    check(json.loads(run("eval", f"{work}/whole.st", whole, "--split", "train", "--json").out)["split"] == "all",
          "eval --split train takes all")
    check_run(run("eval", f"{work}/whole.st", f"{pets}/test"), 0, "images, all of them")
    done = run("train", whole, "-o", f"{work}/blind.st", "--epochs", 1, "--val", 0)
    check_run(done, 0, "with --val 0 too, nothing will tell")
    check_run(run("eval", f"{work}/blind.st", whole), 0, "held out none of its images", "trained on all of these")

    # Other classes under the same numbers.
    os.rename(f"{pets}/test/ant", f"{work}/ant")
    check_run(run("eval", f"{work}/whole.st", f"{pets}/test"), 3, "class 0 is 'bee', expected the network's 'ant'")
    check_run(run("eval", f"{work}/pets.st", pets), 0)  # divided: the training pictures tell the classes
    os.rename(f"{work}/ant", f"{pets}/test/ant")

    # More classes than a preset has, or a byte holds.
    many = random.randint(0, 256, (600, 4, 4)).astype(np.uint8)
    np.savez(f"{work}/many.npz", x=many, y=np.arange(600) % 300)
    check_run(run("train", f"{work}/many.npz", "-o", f"{work}/many.st", "--epochs", 1), 0, "dense 300")
    check_run(run("eval", f"{work}/many.st", f"{work}/many.npz", "--split", "train"), 0, "299")
    check_run(run("convert", f"{work}/many.npz", "-o", f"{work}/many"), 0)
    check((read_idx(f"{work}/many/train-labels-idx1-ubyte") == np.arange(600) % 300).all(), "IDX labels of 16 bits")


def test_weights(work, images, labels):
    """Unbalanced classes are told; balanced weights make the same model for any number of threads."""
    kept = np.concatenate([np.flatnonzero(labels == c)[:n] for c, n in enumerate((40, 40, 40, 40, 6))])
    write_pictures(f"{work}/uneven", images[kept], labels[kept], ["ant", "bee", "cat", "dog", "eel"])
    common = ("train", f"{work}/uneven", "--epochs", 3, "--batch", 10, "--val", 20)
    note = "note: unbalanced classes: from 6 images of 'eel' to 40 of 'ant'; --class-weights balanced"
    check_run(run(*common, "-o", f"{work}/0.st"), 0, note)
    check("unbalanced" not in run(*common, "-o", f"{work}/0.st", "--quiet").err, "train --quiet says nothing")
    check_run(run("convert", f"{work}/uneven", "-o", f"{work}/uneven.npz"), 0, "note: unbalanced classes: from 6")
    for threads in (1, 2):
        done = run(*common, "-o", f"{work}/{threads}.st", "--class-weights", "balanced", "--threads", threads)
        check(done.code == 0 and "unbalanced" not in done.err, f"--class-weights balanced: {done.err}")
    check(read(f"{work}/1.st") == read(f"{work}/2.st"), "the same model from 1 and 2 threads")
    check(read(f"{work}/1.st") != read(f"{work}/0.st"), "another model than without weights")
    options = json.loads(run("show", f"{work}/1.st", "--json").out)["metadata"]["options"]
    check("class_weights=balanced" in options, "the weights are among the options")
    check("class_weights" not in json.loads(run("show", f"{work}/0.st", "--json").out)["metadata"]["options"],
          "and are not where there are none")
    check_run(run(*common, "-o", f"{work}/3.st", "--class-weights", "fair"), 2, "none", "balanced")


def test_refused(work):
    """What cannot be read or written, and that nothing is left of it."""
    os.makedirs(f"{work}/bad/cat")
    write(f"{work}/bad/cat/1.png", png(np.zeros((4, 4))))
    cases = [("2.png", png(np.zeros((4, 4)))[:-20], "a damaged PNG"), ("2.jpg", b"\xff\xd8\xff\xe0", "a JPEG picture"),
             ("notes.txt", b"hello", "not a picture, expected PNG, PGM or PPM")]
    for name, content, word in cases:
        path = write(f"{work}/bad/cat/{name}", content)
        done = run("convert", f"{work}/bad", "-o", f"{work}/out.npz")
        check_run(done, 3, f"inkling: {path}: ", word)
        check(done.err.count("\n") == 1 and done.out == "", f"one line: {done.err!r}")
        os.remove(path)
    os.mkdir(f"{work}/bad/dog")
    check_run(run("convert", f"{work}/bad", "-o", f"{work}/out.npz"), 3, "bad/dog: no pictures in the folder")
    os.rmdir(f"{work}/bad/dog")
    check_run(run("convert", f"{work}/bad", "-o", f"{work}/bad"), 1, "the folder is there already and not empty")
    check_run(run("convert", f"{work}/bad", "-o", f"{work}/bad/cat/1.png/x"), 1, "bad/cat/1.png/x")
    check_run(run("convert", f"{work}/bad", "-o", f"{work}/nowhere/x.npz"), 1, "nowhere/x.npz")
    check_run(run("convert", f"{work}/bad"), 2, "--output")
    check_run(run("convert", f"{work}/bad", "-o", f"{work}/x", "--format", "jpg"), 2, "idx", "npz", "png")
    check_run(run("convert", f"{work}/bad", "-o", f"{work}/x", "--format", "png", "--compress"), 2, "--compress is for")
    check_run(run("convert", f"{work}/missing", "-o", f"{work}/x"), 1, "missing")
    check(sorted(os.listdir(work)) == ["bad"], f"nothing is left: {sorted(os.listdir(work))}")
    for limited in ("idx", "npz", "png"):  # a file that may not grow: as on a full disk
        done = subprocess.run(["sh", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "sh", PROGRAM,
                               "convert", "synthetic", "-o", f"{work}/x", "--format", limited],
                              capture_output=True, check=False, env=environment())
        if limited != "png":  # each of which is smaller than the limit
            check(done.returncode == 1 and b"File too large" in done.stderr, f"{limited}: {done.stderr!r}")
            check(sorted(os.listdir(work)) == ["bad"], f"{limited}: nothing is left: {sorted(os.listdir(work))}")


with folder() as place:
    made = make_images(200, (16, 10))
    made_test = make_images(50, (16, 10))
    test_round_trips(place, *made, *made_test)
    test_numpy(place, *made, *made_test)
    test_training(place)
    test_weights(place, *made)
with folder() as place:
    test_csv(place, *made, make_images(200, (16, 16))[0])
    test_colour(place)
with folder() as place:
    test_refused(place)
finish()
