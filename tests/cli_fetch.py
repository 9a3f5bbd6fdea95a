"""inkling fetch against an HTTP server on loopback that does what servers do: stop, stall, lie, redirect, refuse.

What is about the content's fingerprint takes the real Fashion-MNIST. The rest fetches ten images under the name of
KMNIST, whose fingerprint is not known, so that any IDX files pass for it.
"""
import gzip
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1]
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


class Run:
    def __init__(self, *arguments, **environment):
        home = tempfile.mkdtemp(dir=scratch)
        settings = {"PATH": os.environ["PATH"], "HOME": home, "no_proxy": "127.0.0.1", **environment}
        settings.update({key: os.environ[key] for key in os.environ if key.endswith("SAN_OPTIONS")})
        started = time.monotonic()
        done = subprocess.run([PROGRAM, "fetch", *map(str, arguments)], capture_output=True, text=True, cwd=home,
                              env=settings, timeout=120)
        self.seconds = time.monotonic() - started
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.home = pathlib.Path(home)


def mirrors(*behaviours):
    return "--mirror=" + ",".join(f"http://127.0.0.1:{server.server_port}/{behaviour}" for behaviour in behaviours)


def make_tiny():
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    for name in NAMES:
        sizes, values = ([10, 28, 28], bytes(7840)) if "images" in name else ([10], bytes(range(10)))
        head = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        (folder / (name + ".gz")).write_bytes(gzip.compress(head + values))
    return folder


def folder_with(*names):
    """A folder that has some of the files already, so that a test is about the others."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    for name in names:
        (folder / name).symlink_to(Handler.source / name)
    return folder


def all_but(name):
    return folder_with(*(n + ".gz" for n in NAMES if n + ".gz" != name))


def same(folder, name):
    return (folder / name).read_bytes() == (Handler.source / name).read_bytes()


def leftovers(folder):
    return [entry.name for entry in folder.iterdir() if entry.name.endswith(".part")]


passed = failed = 0


def check(name, condition, run):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {name}\n  exit {run.code} after {run.seconds:.1f} s\n  requests {Handler.requests}\n"
              f"  stdout {run.out!r}\n  stderr {run.err!r}")


def test_whole_data_set():
    folder = pathlib.Path(scratch) / "made" / "on the way"
    run = Run("fashion-mnist", "--to", folder, mirrors("good"))
    check("all four files come", run.code == 0 and all(same(folder, n + ".gz") for n in NAMES), run)
    check("says what is there", run.out == f"fashion-mnist: {folder}, 60000 training and 10000 test images\n", run)
    check("a line for each file", run.err.count("\n") == 4 and f"{LARGE}  26421.9 kB\n" in run.err, run)
    Handler.requests.clear()
    run = Run("fashion-mnist", "--to", folder, mirrors("good"))
    check("what is right is left alone", run.code == 0 and not Handler.requests and "already in" in run.out, run)
    run = Run("fashion-mnist")
    check("a packaged data set is found", run.code == 0 and f"already in {FASHION}," in run.out, run)
    (folder / SMALL).unlink()
    (folder / SMALL).write_bytes((FASHION / SMALL).read_bytes()[:-9])
    run = Run("fashion-mnist", "--to", folder, mirrors("good"))
    check("a damaged file is replaced", run.code == 0 and same(folder, SMALL) and len(Handler.requests) == 1, run)


def test_default_folder():
    Handler.source = tiny
    data, share = folder_with(), folder_with()
    run = Run("kmnist", mirrors("good"), INKLING_DATA=str(data), XDG_DATA_HOME=str(share))
    check("into $INKLING_DATA", run.code == 0 and same(data / "kmnist", LARGE) and not list(share.iterdir()), run)
    run = Run("kmnist", mirrors("good"), XDG_DATA_HOME=str(share))
    check("or into $XDG_DATA_HOME/inkling", run.code == 0 and same(share / "inkling/kmnist", LARGE), run)
    run = Run("kmnist", mirrors("good"))
    check("or into ~/.local/share/inkling", run.code == 0 and same(run.home / ".local/share/inkling/kmnist", LARGE), run)
    Handler.requests.clear()
    run = Run("kmnist", mirrors("good"), XDG_DATA_HOME=str(share))
    check("where it is found again", run.code == 0 and not Handler.requests, run)
    folder = folder_with()
    run = Run("kmnist", "--to", folder, mirrors("page"))
    check("a page is no data set", run.code == 1 and not list(folder.iterdir()), run)


def test_resume():
    folder = all_but(LARGE)
    half = (FASHION / LARGE).stat().st_size // 2
    run = Run("fashion-mnist", "--to", folder, mirrors("stops"))
    check("goes on after the server stopped", run.code == 0 and same(folder, LARGE), run)
    check("where it had stopped", Handler.requests[-1] == ("stops", LARGE, f"bytes={half}-"), run)

    def resumed(behaviour, part):
        Handler.requests.clear()
        folder = all_but(LARGE)
        (folder / (LARGE + ".part")).write_bytes(part)
        run = Run("fashion-mnist", "--to", folder, mirrors(*behaviour.split(",")))
        return run, run.code == 0 and same(folder, LARGE) and not leftovers(folder)

    content = (FASHION / LARGE).read_bytes()
    run, good = resumed("good", content[:1000])
    check("goes on from an earlier run", good and [r[2] for r in Handler.requests] == ["bytes=1000-"], run)
    run, good = resumed("whole", content[:1000])
    check("begins again where parts are not served", good and len(Handler.requests) == 1, run)
    run, good = resumed("good", b"x" * 1000)
    check("a wrong beginning is dropped", good and [r[2] for r in Handler.requests] == ["bytes=1000-", None], run)
    run, good = resumed("good", content)
    check("nothing behind the end: begins again", good and [r[2] for r in Handler.requests][1:] == [None], run)
    run, good = resumed("elsewhere,good", content[:1000])
    check("another part than asked for is refused", good and "another part" in run.err, run)


def test_wrong_content():
    folder = all_but(SMALL)
    run = Run("fashion-mnist", "--to", folder, mirrors("wrong", "good"))
    check("wrong content is refused", "refused, the content is not that of" in run.err, run)
    check("and the next mirror asked", run.code == 0 and same(folder, SMALL), run)
    folder = all_but(SMALL)
    run = Run("fashion-mnist", "--to", folder, mirrors("wrong"))
    check("wrong content alone fails", run.code == 1 and run.out == "", run)
    check("and leaves nothing", not (folder / SMALL).exists() and not leftovers(folder), run)


def test_next_mirror():
    Handler.source = tiny
    for behaviour, said in [("missing", "404"), ("page", "the content is not"), ("endless", "more than 67108864 bytes"),
                            ("to_disk", "rotocol")]:
        Handler.requests.clear()
        folder = all_but(SMALL)
        run = Run("kmnist", "--to", folder, mirrors(behaviour, "good"))
        check(f"{behaviour}: the next mirror is asked", run.code == 0 and same(folder, SMALL) and said in run.err, run)
        check(f"{behaviour}: once each", [r[0] for r in Handler.requests] == [behaviour, "good"], run)
        folder = all_but(SMALL)
        run = Run("kmnist", "--to", folder, mirrors(behaviour))
        check(f"{behaviour}: alone, it fails", run.code == 1 and run.out == "" and said in run.err, run)
        check(f"{behaviour}: and leaves no file", not (folder / SMALL).exists(), run)
    check("the last message says what to do", str(folder) in run.err and all(n in run.err for n in NAMES), run)
    Handler.requests.clear()
    folder = folder_with()
    run = Run("kmnist", "--to", folder, mirrors("missing", "moved"))
    check("redirections are followed", run.code == 0 and same(folder, SMALL), run)
    check("what answered is asked first", [r[0] for r in Handler.requests].count("missing") == 1, run)


def test_nobody_there():
    Handler.source = tiny
    for behaviour in ["stalls", "silent"]:
        folder = all_but(SMALL)
        run = Run("kmnist", "--to", folder, "--timeout=1", mirrors(behaviour, "good"))
        check(f"{behaviour}: given up, then the next", run.code == 0 and same(folder, SMALL), run)
        check(f"{behaviour}: after the timeout", "nothing came for 1 s" in run.err and run.seconds < 20, run)
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    run = Run("kmnist", "--to", all_but(SMALL), f"--mirror=http://127.0.0.1:{port}/")
    check("a closed port", run.code == 1 and "onnect" in run.err, run)


def test_proxy():
    Handler.source = tiny
    folder = folder_with()
    run = Run("kmnist", "--to", folder, "--mirror=http://mirror.invalid/good/",
              http_proxy=f"http://127.0.0.1:{server.server_port}")
    check("the proxy is asked", run.code == 0 and same(folder, SMALL), run)


def test_usage():
    Handler.source = tiny
    for arguments, said in [(["minst"], "did you mean 'mnist'?"), (["synthetic"], "expected one of mnist"), ([], "NAME"),
                            (["mnist", "--mirror="], "--mirror"), (["mnist", "--timeout=0"], "--timeout")]:
        run = Run(*arguments)
        check(f"{arguments} is refused", run.code == 2 and said in run.err and run.out == "", run)
    for url in [f"file://{tiny}", "ftp://127.0.0.1/"]:
        run = Run("kmnist", "--to", all_but(SMALL), "--mirror=" + url)
        check(f"{url} is not fetched", run.code == 1 and "rotocol" in run.err, run)
    blocked = folder_with() / "file"
    blocked.write_text("")
    run = Run("mnist", "--to", blocked / "folder", mirrors("good"))
    check("a folder that cannot be made", run.code == 1 and f"{blocked}" in run.err, run)


version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout
if "+fetch" not in version:
    print("skipped: this build has no fetch")
    sys.exit(77)
if not FASHION.is_dir():
    print(f"skipped: {FASHION} is not there (Debian: dataset-fashion-mnist)")
    sys.exit(77)
with tempfile.TemporaryDirectory() as scratch, Server(("127.0.0.1", 0), Handler) as server:
    tiny = make_tiny()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            Handler.source = FASHION
            Handler.requests.clear()
            test()
    Handler.ended.set()
    server.shutdown()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
