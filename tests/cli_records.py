"""bench/records: it runs recipes over seeds, writes every figure and a page, and runs one recipe again alone."""
import json
import pathlib
import statistics
import subprocess
import sys

from helper import PROGRAM, check, finish, folder, environment

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "bench" / "records"


def records(work, *arguments):
    return subprocess.run([sys.executable, SCRIPT, "--program", PROGRAM, "--data", "synthetic", "--out", work, *arguments],
                          capture_output=True, text=True, env=environment())


def results(work):
    return {result["name"]: result for result in json.load(open(f"{work}/records.json"))}


with folder() as work:
    page = pathlib.Path(f"{work}/records.md")
    page.write_text("before\n<!-- bench/records: from here -->\nold\n<!-- to here -->\nafter\n")
    done = records(work, "--only", "fast", "notebook", "--seeds", "2", "--", "--limit", "300")
    check(done.returncode == 0, f"it runs: {done.stderr}")
    first = results(work)
    check(list(first) == ["notebook", "fast"], f"in the recipes' order: {list(first)}")
    runs = first["fast"]["runs"]
    check([run["seed"] for run in runs] == [0, 1] and runs[0]["accuracy"] != runs[1]["accuracy"], f"by seed: {runs}")
    check(all(0 < run["training"] < run["whole"] and run["parameters"] == 8986 for run in runs), f"seconds: {runs}")
    mean = 100 * statistics.mean(run["accuracy"] for run in runs)
    shifted = 100 * statistics.mean(run["shifted"] for run in runs)
    text = page.read_text()
    check(text.startswith("before\n") and text.endswith("after\n") and "old" not in text, "the page keeps what is around")
    check(f"{mean:.2f}% \u00b1" in text and f"{shifted:.2f}% \u00b1" in text and "8,986" in text, f"its row: {text[:900]}")
    check(first["fast"]["options"] in text and "--recipe fast --limit 300 --seed N" in text, "the command is there")

    done = records(work, "--only", "fast", "--seeds", "1", "--", "--limit", "400")
    again = results(work)
    check(done.returncode == 0 and again["notebook"] == first["notebook"], "one alone leaves the others")
    check(len(again["fast"]["runs"]) == 1 and again["fast"]["more"] == ["--limit", "400"], "and replaces its own")

    done = records(work, "--only", "fsat")
    check(done.returncode == 1 and "no recipe fsat" in done.stderr, f"a name that there is not: {done.stderr}")
    done = records(work, "--only", "fast", "--", "--epohcs", "3")
    check(done.returncode == 1 and "did you mean '--epochs'" in done.stderr, f"the program's message: {done.stderr}")
    check(results(work) == again, "a failure changes nothing")
finish()
