"""The page of inkling serve in Chromium: see page/page.mjs. With a folder as second argument, takes its screenshots there."""
import os
import pathlib
import shutil
import subprocess
import sys

from helper import check, check_run, environment, finish, folder, run
from server import Server

TESTS = pathlib.Path(__file__).resolve().parent
TOKEN = "a token of the test"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


if "+serve" not in run("--version").out:
    skip("this inkling was built without serve")
if not shutil.which("node") or not (TESTS / "node_modules/playwright-core").exists():
    skip("node or playwright-core is missing (script/bootstrap test)")
if not os.path.exists("/usr/bin/chromium"):
    skip("chromium is missing (script/bootstrap test)")
data = {key: value for key, value in os.environ.items() if key == "INKLING_DATA"}
if run("show", "mnist", "--json", env=environment(**data)).code != 0:
    skip("MNIST is missing, and the page is to read handwriting (inkling fetch mnist)")

with folder() as work:
    model = f"{work}/lenet.safetensors"
    check_run(run("train", "mnist", "-o", model, "--net", "lenet", "--epochs", 2, "--quiet", env=environment(**data)), 0)
    token = TOKEN.replace(" ", "-")
    with Server(model) as server, Server(model, "--token", token) as locked:
        done = subprocess.run(["node", TESTS / "page/page.mjs", server.url, locked.url, token,
                               TESTS.parent / "examples/digit.png", *sys.argv[2:]], capture_output=True, text=True, timeout=500)
        print(done.stdout, done.stderr)
        check(done.returncode == 0, "the page")
        check(server.stop()[0] == 0 and locked.stop()[0] == 0, "both servers end well")
finish()
