"""inkling tune lr: the rates it goes through, the loss over them, the suggestion, the chart and the picture."""
import json
import math
import os
import xml.etree.ElementTree

from helper import check, check_run, environment, finish, folder, run

NET = ["--net", "dense 12 relu, dense 10", "--init", "he"]


def tune(*arguments, **more):
    return run("tune", "lr", "synthetic", *NET, *arguments, **more)


def test_json():
    done = tune("--json", "--steps", 100)
    result = json.loads(done.out)
    steps = result["steps"]
    rates, losses, smooth = ([step[key] for step in steps] for key in ("learning_rate", "loss", "smooth"))
    check(done.err == "" and 50 < len(steps) <= 100, f"quiet, and most of the steps: {len(steps)}; {done.err}")
    check(abs(rates[0] / (10 * 2**-20) - 1) < 1e-6 and
          all(abs(b / a / 2**0.2 - 1) < 1e-5 for a, b in zip(rates, rates[1:])), "rates rise by 20 octaves in all")
    share, mean, weight = 1 / (1 + 2.5), 0, 0
    for loss, found in zip(losses, smooth):
        mean, weight = mean + share * (loss - mean), weight + share * (1 - weight)
        check(abs(found - mean / weight) < 1e-4 * max(1, found), f"smoothed: {found}, expected {mean / weight}")
    least = min(range(len(steps)), key=smooth.__getitem__)
    check(result["least"] == smooth[least] and result["least_at"] == rates[least], "the least loss and its rate")
    check(abs(result["suggestion"] * math.sqrt(10) / rates[least] - 1) < 1e-6, "half a decade below it")
    check(1e-3 < result["suggestion"] < 0.5, f"a rate for adamw: {result['suggestion']}")
    check(smooth[-1] > 2 * result["least"], "it ends when the loss is up again")
    check(tune("--json", "--steps", 100, "--threads", 3).out == done.out, "the same for other threads")
    check(tune("--json", "--steps", 100, "--seed", 1).out != done.out, "another seed draws other images")

    small = json.loads(tune("--json", "--steps", 100, "--limit", 70, "--batch", 20, "--most", 0.01).out)["steps"]
    check(len(small) == 100 and small[0]["learning_rate"] < 1e-8 and small[-1]["learning_rate"] < 0.0101,
          f"few images are taken again: {len(small)} steps to {small[-1]}")
    low = json.loads(tune("--json", "--most", 1e-6).out)
    check(low["suggestion"] is None and len(low["steps"]) == 300, "no suggestion where nothing was learnt")
    check_run(tune("--most", 1e-6), 0, "no rate brought the loss down")
    check_run(tune("--most", 1e-2, "--steps", 60), 0, "still falling at the largest rate")


def test_charts(work):
    for locale in ("C", "C.UTF-8"):
        done = tune("--svg", "rates.svg", cwd=work, env=environment(LC_ALL=locale))
        check_run(done, 0, "learning rate", "1e-03", "|", "half a decade below that: --lr 0.0")
        lines = done.out.splitlines()
        check(all(len(line) <= 80 and line == line.rstrip() for line in lines if "--lr" not in line), f"neat: {lines}")
        check(("*" in done.out) == (locale == "C") and done.out.isascii() == (locale == "C"), f"{locale}: {done.out}")
    svg = xml.etree.ElementTree.parse(f"{work}/rates.svg").getroot()
    tags = [element.tag.split("}")[1] for element in svg]
    check(tags.count("circle") > 100 and "".join(svg.itertext()).count("1e-0") >= 4, f"points and decades: {tags[:20]}")
    places = [float(element.get(key)) for element in svg for key in ("cx", "cy") if element.get(key)]
    check(all(0 <= place <= 640 for place in places), "inside the picture")


def test_refusals(work):
    check_run(run("tune", "rate", "synthetic"), 2, "found 'rate', expected lr", "inkling tune --help")
    check_run(run("tune", "lr"), 2, "found 1 argument", "lr DATA")
    check_run(tune("--steps", 10), 2, "--steps", "from 40")
    check_run(tune("--svg", "none/rates.svg", cwd=work), 1, "none/rates.svg: cannot write")
    check(os.listdir(work) == [], "nothing is left behind")
    check_run(run("tune", "lr", "synthetic", "--recipe", "notebook", "--steps", 40), 0, "--lr")


test_json()
for test in (test_charts, test_refusals):
    with folder() as place:
        test(place)
finish()
