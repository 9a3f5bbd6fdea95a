"""inkling fetch against an HTTP server on loopback that does what servers do: stop, stall, lie, redirect, refuse.

What is about the content's fingerprint takes the real Fashion-MNIST. The rest fetches ten images under the name of
KMNIST, whose fingerprint is not known, so that any IDX files pass for it.
"""
import gzip
import http.server
import pathlib
import socket
import sys
import tempfile
import threading
import time

import numpy as np

from helper import environment, finish, folder, idx, run
import helper

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
LARGE, SMALL = NAMES[0] + ".gz", NAMES[3] + ".gz"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # A client that gives up breaks the connection: that is what some tests are about.
    handle_error = lambda self, request, address: None


class Handler(http.server.BaseHTTPRequestHandler):
    """The first folder of the path says how to behave; the rest is a file in `source`."""
    source = FASHION
    requests = []
    ended = threading.Event()

    def do_GET(self):
        behaviour, _, name = self.path.removeprefix("http://mirror.invalid").lstrip("/").partition("/")
        asked = self.headers["Range"]
        Handler.requests.append((behaviour, name, asked))
        getattr(self, behaviour)(name, int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0)

    def log_message(self, *arguments):
        pass

    def body(self, content, start=0, claimed=None, code=None, total=None):
        self.send_response(code or (206 if start else 200))
        claimed = start if claimed is None else claimed
        if claimed:
            self.send_header("Content-Range", f"bytes {claimed}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(total if total is not None else len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def good(self, name, start):
        content = (self.source / name).read_bytes()
        if start >= len(content):
            self.send_error(416)
        else:
            self.body(content, start)

    def whole(self, name, start):
        self.body((self.source / name).read_bytes())

    def missing(self, name, start):
        self.send_error(404)

    def wrong(self, name, start):
        # An IDX file, in whole compressed form, of another content.
        self.body((self.source / (NAMES[1] + ".gz")).read_bytes(), min(start, 100))

    def page(self, name, start):
        self.body(b"<html>Please log in to the network of this hotel.</html>", code=200)

    def stops(self, name, start):
        # Ends in the middle the first time, then goes on.
        content = (self.source / name).read_bytes()
        if start:
            self.body(content, start)
        else:
            self.body(content[:len(content) // 2], total=len(content))

    def stalls(self, name, start):
        content = (self.source / name).read_bytes()
        self.body(content[:max(start, len(content) // 2)], start, total=len(content) - start)
        Handler.ended.wait(60)

    def silent(self, name, start):
        Handler.ended.wait(60)

    def elsewhere(self, name, start):
        content = (self.source / name).read_bytes()
        if start:
            self.body(content, start, claimed=start + 1)
        else:
            self.body(content)

    def moved(self, name, start):
        self.send_response(302)
        self.send_header("Location", f"/good/{name}")
        self.end_headers()

    def to_disk(self, name, start):
        self.send_response(302)
        self.send_header("Location", f"file://{self.source / name}")
        self.end_headers()

    def endless(self, name, start):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(1 << 20))


def fetch(*arguments, **changes):
    """Runs inkling fetch with a home of its own."""
    home = tempfile.mkdtemp(dir=scratch)
    started = time.monotonic()
    done = run("fetch", *arguments, cwd=home, env=environment(HOME=home, no_proxy="127.0.0.1", **changes))
    done.seconds = time.monotonic() - started
    done.home = pathlib.Path(home)
    return done


def mirrors(*behaviours):
    return "--mirror=" + ",".join(f"http://127.0.0.1:{server.server_port}/{behaviour}" for behaviour in behaviours)


def make_tiny():
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    for name in NAMES:
        values = np.zeros((10, 28, 28)) if "images" in name else np.arange(10)
        (folder / (name + ".gz")).write_bytes(gzip.compress(idx(values)))
    return folder


def folder_having(*names):
    """A folder that has some of the files already, so that a test is about the others."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    for name in names:
        (folder / name).symlink_to(Handler.source / name)
    return folder


def all_but(name):
    return folder_having(*(n + ".gz" for n in NAMES if n + ".gz" != name))


def same(folder, name):
    return (folder / name).read_bytes() == (Handler.source / name).read_bytes()


def leftovers(folder):
    return [entry.name for entry in folder.iterdir() if entry.name.endswith(".part")]


def check(name, condition, done):
    helper.check(condition, f"{name}: code {done.code} after {done.seconds:.1f} s, requests {Handler.requests}, "
                            f"stdout {done.out!r}, stderr {done.err!r}")


def test_whole_data_set():
    folder = pathlib.Path(scratch) / "made" / "on the way"
    done = fetch("fashion-mnist", "--to", folder, mirrors("good"))
    check("all four files come", done.code == 0 and all(same(folder, n + ".gz") for n in NAMES), done)
    check("says what is there", done.out == f"fashion-mnist: {folder}, 60000 training and 10000 test images\n", done)
    check("a line for each file", done.err.count("\n") == 4 and f"{LARGE}  26421.9 kB\n" in done.err, done)
    Handler.requests.clear()
    done = fetch("fashion-mnist", "--to", folder, mirrors("good"))
    check("what is right is left alone", done.code == 0 and not Handler.requests and "already in" in done.out, done)
    done = fetch("fashion-mnist")
    check("a packaged data set is found", done.code == 0 and f"already in {FASHION}," in done.out, done)
    (folder / SMALL).unlink()
    (folder / SMALL).write_bytes((FASHION / SMALL).read_bytes()[:-9])
    done = fetch("fashion-mnist", "--to", folder, mirrors("good"))
    check("a damaged file is replaced", done.code == 0 and same(folder, SMALL) and len(Handler.requests) == 1, done)


def test_default_folder():
    Handler.source = tiny
    data, share = folder_having(), folder_having()
    done = fetch("kmnist", mirrors("good"), INKLING_DATA=str(data), XDG_DATA_HOME=str(share))
    check("into $INKLING_DATA", done.code == 0 and same(data / "kmnist", LARGE) and not list(share.iterdir()), done)
    done = fetch("kmnist", mirrors("good"), XDG_DATA_HOME=str(share))
    check("or into $XDG_DATA_HOME/inkling", done.code == 0 and same(share / "inkling/kmnist", LARGE), done)
    done = fetch("kmnist", mirrors("good"))
    folder = done.home / ".local/share/inkling/kmnist"
    check("or into ~/.local/share/inkling", done.code == 0 and same(folder, LARGE), done)
    Handler.requests.clear()
    done = fetch("kmnist", mirrors("good"), XDG_DATA_HOME=str(share))
    check("where it is found again", done.code == 0 and not Handler.requests, done)
    folder = folder_having()
    done = fetch("kmnist", "--to", folder, mirrors("page"))
    check("a page is no data set", done.code == 1 and not list(folder.iterdir()), done)


def test_resume():
    folder = all_but(LARGE)
    half = (FASHION / LARGE).stat().st_size // 2
    done = fetch("fashion-mnist", "--to", folder, mirrors("stops"))
    check("goes on after the server stopped", done.code == 0 and same(folder, LARGE), done)
    check("where it had stopped", Handler.requests[-1] == ("stops", LARGE, f"bytes={half}-"), done)

    def resumed(behaviour, part):
        Handler.requests.clear()
        folder = all_but(LARGE)
        (folder / (LARGE + ".part")).write_bytes(part)
        done = fetch("fashion-mnist", "--to", folder, mirrors(*behaviour.split(",")))
        return done, done.code == 0 and same(folder, LARGE) and not leftovers(folder)

    content = (FASHION / LARGE).read_bytes()
    done, good = resumed("good", content[:1000])
    check("goes on from an earlier run", good and [r[2] for r in Handler.requests] == ["bytes=1000-"], done)
    done, good = resumed("whole", content[:1000])
    check("begins again where parts are not served", good and len(Handler.requests) == 1, done)
    done, good = resumed("good", b"x" * 1000)
    check("a wrong beginning is dropped", good and [r[2] for r in Handler.requests] == ["bytes=1000-", None], done)
    done, good = resumed("good", content)
    check("nothing behind the end: begins again", good and [r[2] for r in Handler.requests][1:] == [None], done)
    done, good = resumed("elsewhere,good", content[:1000])
    check("another part than asked for is refused", good and "another part" in done.err, done)


def test_wrong_content():
    folder = all_but(SMALL)
    done = fetch("fashion-mnist", "--to", folder, mirrors("wrong", "good"))
    check("wrong content is refused", "refused, the content is not that of" in done.err, done)
    check("and the next mirror asked", done.code == 0 and same(folder, SMALL), done)
    folder = all_but(SMALL)
    done = fetch("fashion-mnist", "--to", folder, mirrors("wrong"))
    check("wrong content alone fails", done.code == 1 and done.out == "", done)
    check("and leaves nothing", not (folder / SMALL).exists() and not leftovers(folder), done)


def test_next_mirror():
    Handler.source = tiny
    for behaviour, said in [("missing", "404"), ("page", "the content is not"), ("endless", "more than 67108864 bytes"),
                            ("to_disk", "rotocol")]:
        Handler.requests.clear()
        folder = all_but(SMALL)
        done = fetch("kmnist", "--to", folder, mirrors(behaviour, "good"))
        check(f"{behaviour}: is told", said in done.err, done)
        check(f"{behaviour}: the next mirror is asked", done.code == 0 and same(folder, SMALL), done)
        check(f"{behaviour}: once each", [r[0] for r in Handler.requests] == [behaviour, "good"], done)
        folder = all_but(SMALL)
        done = fetch("kmnist", "--to", folder, mirrors(behaviour))
        check(f"{behaviour}: alone, it fails", done.code == 1 and done.out == "" and said in done.err, done)
        check(f"{behaviour}: and leaves no file", not (folder / SMALL).exists(), done)
    check("the last message says what to do", str(folder) in done.err and all(n in done.err for n in NAMES), done)
    Handler.requests.clear()
    folder = folder_having()
    done = fetch("kmnist", "--to", folder, mirrors("missing", "moved"))
    check("redirections are followed", done.code == 0 and same(folder, SMALL), done)
    check("what answered is asked first", [r[0] for r in Handler.requests].count("missing") == 1, done)


def test_nobody_there():
    Handler.source = tiny
    for behaviour in ["stalls", "silent"]:
        folder = all_but(SMALL)
        done = fetch("kmnist", "--to", folder, "--timeout=1", mirrors(behaviour, "good"))
        check(f"{behaviour}: given up, then the next", done.code == 0 and same(folder, SMALL), done)
        check(f"{behaviour}: after the timeout", "nothing came for 1 s" in done.err and done.seconds < 20, done)
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    folder = all_but(SMALL)
    done = fetch("kmnist", "--to", folder, f"--mirror=http://127.0.0.1:{port}/")
    check("a closed port", done.code == 1 and "onnect" in done.err, done)
    check("what never came leaves nothing", not (folder / (SMALL + ".part")).exists(), done)


def test_proxy():
    Handler.source = tiny
    folder = folder_having()
    done = fetch("kmnist", "--to", folder, "--mirror=http://mirror.invalid/good/",
                 http_proxy=f"http://127.0.0.1:{server.server_port}")
    check("the proxy is asked", done.code == 0 and same(folder, SMALL), done)


def test_usage():
    Handler.source = tiny
    for arguments, said in [(["minst"], "did you mean 'mnist'?"), (["digits"], "expected one of mnist"), ([], "NAME"),
                            (["mnist", "--mirror="], "--mirror"), (["mnist", "--timeout=0"], "--timeout")]:
        done = fetch(*arguments)
        check(f"{arguments} is refused", done.code == 2 and said in done.err and done.out == "", done)
    for url in [f"file://{tiny}", "ftp://127.0.0.1/"]:
        done = fetch("kmnist", "--to", all_but(SMALL), "--mirror=" + url)
        check(f"{url} is not fetched", done.code == 1 and "rotocol" in done.err, done)
    blocked = folder_having() / "file"
    blocked.write_text("")
    done = fetch("mnist", "--to", blocked / "folder", mirrors("good"))
    check("a folder that cannot be made", done.code == 1 and f"{blocked}" in done.err, done)


if "+fetch" not in run("--version").out:
    print("skipped: this build has no fetch")
    sys.exit(77)
if not FASHION.is_dir():
    print(f"skipped: {FASHION} is not there (Debian: dataset-fashion-mnist)")
    sys.exit(77)
with folder() as scratch, Server(("127.0.0.1", 0), Handler) as server:
    tiny = make_tiny()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for test in (test_whole_data_set, test_default_folder, test_resume, test_wrong_content, test_next_mirror,
                 test_nobody_there, test_proxy, test_usage):
        Handler.source = FASHION
        Handler.requests.clear()
        test()
    Handler.ended.set()
    server.shutdown()
finish()
