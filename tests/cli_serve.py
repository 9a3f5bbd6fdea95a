"""inkling serve: every endpoint, every limit, wrong input, many clients at once, and an end that leaves nobody unanswered."""
import base64
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np

from helper import SANITIZED, check, check_run, finish, folder, make_data, pgm, png, read, run, write
from server import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
RAW, JSON, PNG, PGM = "application/octet-stream", "application/json", "image/png", "image/x-portable-graymap"
TOKEN = "0123456789abcdef-secret"

if "+serve" not in run("--version").out:
    check_run(run("serve", "model"), 1, "built without serve")
    print("skipped: this inkling was built without serve")
    sys.exit(77)


def make_model(work):
    """A model of bars on noise, their height the class, and the images it was tested on."""
    images = make_data(f"{work}/data", 600, 200)
    model = f"{work}/model.safetensors"
    check_run(run("train", f"{work}/data", "-o", model, "--net", "conv 4 5x5 relu, pool 2, dropout 0.1, dense 10",
                  "--epochs", 3, "--quiet"), 0)
    return model, images.astype(np.uint8)


def known(model, work, *images):
    """What `inkling predict` gives for each image, as float32 in the order of the classes."""
    rows = []
    for image in images:
        path = write(f"{work}/known.png", png(image))
        top = json.loads(run("predict", model, path, "--raw", "--json", "--top", 10).out)["top"]
        rows.append([row["probability"] for row in sorted(top, key=lambda row: row["index"])])
    return np.array(rows).astype(np.float32)


def probabilities(answer):
    return np.array([row["probabilities"] for row in answer["predictions"]]).astype(np.float32)


def raw_exchange(server, *parts, pause=0, half_close=False, limit=1 << 20):
    """Sends bytes as they are, and returns all that comes until the server closes."""
    with socket.create_connection((server.host, server.port), timeout=60) as peer:
        answer = b""
        try:
            for part in parts:
                peer.sendall(part)
                time.sleep(pause)
            if half_close:
                peer.shutdown(socket.SHUT_WR)
            while len(answer) < limit and (more := peer.recv(65536)):
                answer += more
        except OSError: # the server has closed it
            pass
        return answer


def request_bytes(body, path="/v1/predict", type=RAW, more="", length=None):
    length = len(body) if length is None else length
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {type}\r\nContent-Length: {length}\r\n{more}\r\n").encode() + body


def statuses(answer):
    return [int(code) for code in re.findall(rb"^HTTP/1\.1 (\d{3})", answer, re.M)]


# ---- The server's process ----

def is_frozen(process):
    """Whether every thread of it was stopped by a signal."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/stat")
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def resident(process):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def within(seconds, condition):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return met


# ---- What is there ----

def test_pages(server, model):
    for path, type in (("/", "text/html"), ("/style.css", "text/css"), ("/page.js", "text/javascript"),
                       ("/icon.svg", "image/svg+xml")):
        status, headers, body = server.ask("GET", path)
        check(status == 200 and headers["Content-Type"].startswith(type) and len(body) > 100, f"GET {path}: {status}")
        check("default-src 'none'" in headers["Content-Security-Policy"], f"{path}: its policy")
        check(body == (ROOT / "web" / (path[1:] or "index.html")).read_bytes(), f"{path}: is the file in web/")
        check(not re.search(rb"(?:src|href|url|import)\W{1,3}https?://", body), f"{path}: nothing from elsewhere")
    status, headers, body = server.ask("HEAD", "/")
    check(status == 200 and body == b"" and int(headers["Content-Length"]) > 1000, "HEAD /")

    description = server.ask("GET", "/openapi.json")[2]
    for path, methods in description["paths"].items():
        for method in methods:
            check(server.ask(method.upper(), path, b"", RAW)[0] in (200, 400), f"openapi.json: {method} {path} is there")
    status, headers, card = server.ask("GET", "/v1/model")
    check(status == 200 and card["sha256"] == hashlib.sha256(read(model)).hexdigest(), "the model's SHA-256")
    check(card["network"] == "conv 4 5x5 relu, pool 2, dropout 0.1, dense 10" and card["input"] == [28, 28, 1], "the card")
    check(card["parameters"] == sum(layer["parameters"] for layer in card["layers"]) and len(card["layers"]) == 4, "layers")
    check(card["classes"] == [str(c) for c in range(10)] and "validation_accuracy" in card["metadata"], "its metadata")
    check(server.ask("GET", "/healthz")[2] == {"status": "ok"}, "/healthz")


def test_metrics(model, images):
    with Server(model, "--threads", 1) as server:
        server.ask("POST", "/v1/predict", images[:3].tobytes(), RAW)
        server.ask("POST", "/v1/predict", images[:1].tobytes(), RAW)
        server.ask("GET", "/nothing")
        status, headers, body = server.ask("GET", "/metrics")
        text = body.decode()
        check(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), "/metrics: its type")
        line = re.compile(r"(# (HELP|TYPE) \w+ .+|[a-z_]+(\{[a-z0-9_]+=\"[^\"]*\"(,[a-z0-9_]+=\"[^\"]*\")*\})? [0-9.e+-]+)")
        wrong = [row for row in text.splitlines() if not line.fullmatch(row)]
        check(not wrong, f"/metrics: lines of the format, not {wrong}")
        for row in ("inkling_images_total 4", "inkling_batches_total 2", 'inkling_answers_total{status="200"} 2',
                    'inkling_answers_total{status="404"} 1', "inkling_prediction_seconds_count 2",
                    'inkling_prediction_seconds_bucket{le="+Inf"} 2', "inkling_waiting_images 0", "inkling_body_bytes 0"):
            check(row in text.splitlines(), f"/metrics: {row}")


# ---- Predictions ----

def test_predict(server, model, work, images):
    expected = known(model, work, *images[:3])

    def same(answer, rows, how):
        status, headers, body = answer
        check(status == 200 and np.array_equal(probabilities(body), rows), f"{how}: {status} {str(body)[:300]}")
        check(status == 200 and all(body["classes"][np.argmax(row)] == prediction["answer"]
                                    for row, prediction in zip(rows, body["predictions"])), f"{how}: the answers")

    def ask(body, type, query=""):
        return server.ask("POST", f"/v1/predict{query}", body, type)

    same(ask(images[0].tobytes(), RAW), expected[:1], "pixels")
    same(ask(images[:3].tobytes(), RAW), expected, "pixels of three")
    same(ask(png(images[0]), PNG, "?fit=raw"), expected[:1], "PNG")
    same(ask(pgm(images[0]), PGM, "?fit=raw"), expected[:1], "PGM")
    same(ask(png(np.repeat(images[0][..., None], 3, 2)), "IMAGE/PNG; x=y", "?fit=raw"), expected[:1], "colour PNG")
    same(ask(json.dumps({"images": images[:3].reshape(3, -1).tolist()}), JSON), expected, "JSON, flat")
    same(ask(json.dumps({"images": images[:3].tolist()}, indent=1), JSON), expected, "JSON, rows")
    same(ask(json.dumps({"images": images[:3, :, :, None].tolist()}), "application/json; charset=utf-8"), expected, "JSON, deep")
    coded = [base64.b64encode(png(image)).decode() for image in images[:3]]
    same(ask(json.dumps({"png": coded[0]}), JSON, "?fit=raw"), expected[:1], "JSON, PNG")
    same(ask(json.dumps({"png": coded}).replace("/", "\\/"), JSON, "?fit=raw"), expected, "JSON, PNGs")
    body = ask(images[0].tobytes(), RAW)[2]
    check(body["model"] == hashlib.sha256(read(model)).hexdigest() and body["milliseconds"] >= 0, "model and time")
    check(list(body) == ["model", "classes", "milliseconds", "predictions"] and
          list(body["predictions"][0]) == ["answer", "probabilities"], "nothing that was not asked for")
    large = np.tile(images, (2, 1, 1))[:256]
    whole = ask(large.tobytes(), RAW)[2]
    alone = [ask(image.tobytes(), RAW)[2]["predictions"][0] for image in large[[0, 63, 64, 255]]]
    check([whole["predictions"][i] for i in (0, 63, 64, 255)] == alone, "an image in a batch is as it is alone")

    # A drawing of ink on paper is made as MNIST's digits are, as `predict` does.
    paper = np.full((90, 120), 240)
    paper[20:60, 30:36] = 10
    top = json.loads(run("predict", model, "-", "--json", "--top", 10, stdin=png(paper)).out)["top"]
    top = np.array([row["probability"] for row in sorted(top, key=lambda row: row["index"])]).astype(np.float32)
    same(ask(png(paper), PNG), top[None], "a drawing")
    same(ask(png(paper), PNG, "?number=true"), top[None], "a number of one digit")

    # Three strokes are three digits, and each is what it is alone.
    paper[30:70, 60:90] = 10
    paper[40:80, 100:104] = 10
    body = ask(png(paper), PNG, "?number=true&pixels=true&layers=2")[2]
    check([row["box"] for row in body["predictions"]] == [[20, 30, 40, 6], [30, 60, 40, 30], [40, 100, 40, 4]], "boxes")
    check(body["number"] == "".join(row["answer"] for row in body["predictions"]), "the number")
    seen = [np.frombuffer(base64.b64decode(row["pixels"]), np.uint8) for row in body["predictions"]]
    again = server.ask("POST", "/v1/predict", b"".join(pixels.tobytes() for pixels in seen), RAW)[2]
    check(np.array_equal(probabilities(again), probabilities(body)), "pixels are what the network saw")
    check(all(pixels.size == 784 and pixels.max() == 255 for pixels in seen), "28 x 28 of them")
    check([layer["shape"] for layer in body["layers"]] == [[24, 24, 4], [12, 12, 4], [12, 12, 4], [1, 1, 10]], "layers")
    values = [np.frombuffer(base64.b64decode(layer["values"]), np.uint8) for layer in body["layers"]]
    check(values[0].size == 2304 and np.array_equal(values[1], values[2]), "a layer is told whole; dropout does nothing")
    check(values[3].max() == 255 and values[3].min() == 0 and
          str(np.argmax(values[3])) == body["predictions"][2]["answer"], "the layers are of the image that was asked for")
    scores = body["layers"][3]["least"] + values[3] / 255 * (body["layers"][3]["largest"] - body["layers"][3]["least"])
    softmax = np.exp(scores) / np.exp(scores).sum()
    check(np.allclose(softmax, probabilities(body)[2], atol=0.05), f"the last layer gives the probabilities: {softmax}")


WRONG_JSON = {
    b"": 'expected {"images"', b"[]": 'expected {"images"', b"{": "a key", b'{"x"': 'key "images" or "png"',
    b'{"images"': "a colon", b'{"images":': "an array", b'{"images":1}': "an array", b'{"images":[]}': "an image",
    b'{"images":[1]}': "an image", b'{"images":[[1,2]]}': "has 2 numbers, expected 784",
    b'{"images":[[256]]}': "from 0 to 255", b'{"images":[[-1]]}': "from 0 to 255", b'{"images":[[1.5]]}': "whole number",
    b'{"images":[[1e2]]}': "whole number", b'{"images":[[99999999999999999999]]}': "from 0 to 255",
    b'{"images":[["1"]]}': "whole number", b'{"images":[[null]]}': "whole number", b'{"images":[[1': "comma or the end",
    b'{"images":[' + b"[" * 100000: "no deeper arrays", b'{"images":[[' + b"0," * 784 + b"0]]}": "more than 784 numbers",
    b'{"png":1}': "an array", b'{"png":"': "end of the string", b'{"png":"!!!!"}': "not base64", b'{"png":"QQ="}': "not base64",
    b'{"png":"QUJD"}': "not a picture", b'{"png":["QUJD"': "not a picture", b'{"png":[]}': "a picture",
    b'{"images":[[' + b"0," * 783 + b"0]]} x": "nothing more", b'{"images":[[' + b"0," * 783 + b"0]],": "expected }",
    b'{"images":[[\x00]]}': "whole number", b"\xff\xfe{": 'expected {"images"',
}


def test_wrong(server, images):
    def refused(status, word, body, type=RAW, path="/v1/predict", method="POST"):
        code, headers, answer = server.ask(method, path, body, type)
        check(code == status and headers["Content-Type"] == JSON and answer["status"] == status and word in answer["error"],
              f"{method} {path} {type} {body[:40]}: expected {status} and '{word}', found {code} {answer}")
        return headers

    for body, word in WRONG_JSON.items():
        refused(400, word, body, JSON)
    good = png(images[0])
    refused(400, "0 bytes, expected 784", b"")
    refused(400, "785 bytes", bytes(785))
    refused(400, "empty", b"", PNG)
    for cut in (1, 8, 20, 40, len(good) // 2, len(good) - 13):
        refused(400, "the picture: ", good[:cut], PNG)
    refused(400, "JPEG", b"\xff\xd8\xff\xe0", PNG)
    refused(400, "trailing", pgm(images[0]) + b"x", PGM)
    refused(422, "no ink", png(np.full((30, 30), 200)), PNG)
    refused(422, "no ink", png(np.full((30, 30), 200)), PNG, "/v1/predict?number=true")
    refused(422, "at most 32 digits", png(np.tile([0, 255, 255, 255], 50)[None].repeat(20, 0)), PNG, "/v1/predict?number=true")
    refused(400, "one picture", json.dumps({"png": [base64.b64encode(png(255 * np.eye(20))).decode()] * 2}), JSON,
            "/v1/predict?number=true")
    for query, word in (("fit=other", "digit or raw"), ("fit", "digit or raw"), ("number=1", "true or false"), ("x=1", "'x'"),
                        ("layers=-1", "place of an image"), ("layers=1", "one of 1 images"), ("layers=", "place of an image"),
                        ("layers=99999999999999999999", "place of an image"), ("number=true&fit=raw", "do not go together"),
                        ("fit=ra%77", "digit or raw"), ("pixels=" + "9" * 2000, "true or false")):
        refused(400, word, images[0].tobytes(), RAW, f"/v1/predict?{query}")
    for type in ("text/plain", "application/x-www-form-urlencoded", "image/jpeg", "application/jsonp", "image", ";"):
        refused(415, "expected image/png", b"x", type)
    code = server.ask("POST", "/v1/predict", images[0].tobytes())[0]
    check(code == 415, f"no type at all: {code}")
    for path in ("/nothing", "/v1", "/v1/predict/", "/v1//predict", "/V1/predict", "/../etc/passwd", "/%2e%2e/etc/passwd",
                 "/healthz%00", "/healthz/..", "/healthz%3f", "//healthz", "/web/page.js", "/page.js%20", "/\\..\\x"):
        refused(404, "openapi.json", b"", RAW, path, "GET")
    for method, path, allowed in (("GET", "/v1/predict", "POST"), ("PUT", "/v1/predict", "POST"), ("POST", "/", "GET, HEAD"),
                                  ("DELETE", "/healthz", "GET"), ("OPTIONS", "/v1/model", "GET"), ("BREW", "/metrics", "GET")):
        headers = refused(405, f"found {method}", b"", RAW, path, method)
        check(headers["Allow"] == allowed, f"{method} {path}: Allow is {headers['Allow']}")


# ---- Limits ----

def test_limits(model, images):
    one = images[0].tobytes()
    with Server(model, "--max-body", 5000, "--max-pixels", 2000, "--max-batch", 4, "--threads", 1) as server:
        def status(body, type=RAW, path="/v1/predict"):
            code, headers, answer = server.ask("POST", path, body, type)
            return code, answer.get("error", "") if code != 200 else ""

        check(status(one * 4)[0] == 200, "four images are allowed")
        code, error = status(one * 5)
        check(code == 413 and "more than 4 images" in error, f"five are not: {code} {error}")
        check(status(one * 7) == (413, "a body of 5488 bytes, expected at most 5000"), "a body that says it is too large")
        code, error = status(iter([one] * 7))
        check(code == 413 and "more than 5000 bytes" in error, f"a body that does not say it: {code} {error}")
        check(status(json.dumps({"images": [[1]] * 5}), JSON)[0] == 400, "JSON: the first fault counts")
        small = base64.b64encode(png(255 * np.eye(20))).decode()
        check(status(json.dumps({"png": [small] * 4}), JSON)[0] == 200, "four pictures are allowed")
        check(status(json.dumps({"png": [small] * 5}), JSON)[0] == 413, "five are not")
        check(status(png(255 * np.eye(44)), PNG)[0] == 200, "44 x 44 pixels are allowed")
        check(status(png(255 * np.eye(45)), PNG) == (413, "the picture: 45 x 45 pixels, expected at most 2000"), "45 x 45 are not")
        huge = bytearray(png(np.zeros((1, 1))))
        huge[16:24] = struct.pack(">II", 20000, 20000)
        huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
        check(status(bytes(huge), PNG) == (413, "the picture: 20000 x 20000 pixels, expected at most 2000"), "a PNG that says so")
        check(status(b"P5 999999999 999999999 255\n", PGM)[0] in (400, 413), "a promise of many pixels")
        bomb = b"P6 40 40 255\n" + bytes(4800)
        check(status(bomb, "image/x-portable-pixmap")[0] == 422, "all black is no ink")

        # Asked first, the server says no before the body comes; and one who sends for ever is cut off.
        answer = raw_exchange(server, request_bytes(b"", length=9999, more="Expect: 100-continue\r\n"))
        check(statuses(answer) == [413], f"Expect: 100-continue: {answer[:80]}")
        answer = raw_exchange(server, request_bytes(b"", length=10**9), *[bytes(4096)] * 100)
        check(statuses(answer) in ([], [413]), f"a gigabyte: {answer[:80]}")
        check(status(one)[0] == 200, "and the server goes on")

    # Frozen while three requests arrive, it finds all in one turn, and has room for one.
    with Server(model, "--max-batch", 4, "--max-queue", 4, "--threads", 1) as server:
        peers = [socket.create_connection((server.host, server.port)) for _ in range(3)]
        for peer in peers: # whoever is greeted is accepted
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            peer.recv(4096)
        server.process.send_signal(signal.SIGSTOP)
        check(within(10, lambda: is_frozen(server.process)), "the server is frozen")
        for peer in peers:
            peer.sendall(request_bytes(one * 3))
        time.sleep(0.2)
        server.process.send_signal(signal.SIGCONT)
        answers = [peer.recv(65536) for peer in peers]
        check(sorted(sum((statuses(answer) for answer in answers), [])) == [200, 503, 503], f"the queue: {answers}")
        refusal = next((answer for answer in answers if statuses(answer) == [503]), b"")
        check(b"Retry-After: 1\r\n" in refusal and b"too many images" in refusal, f"when to come back: {refusal}")
        for peer in peers:
            peer.close()
        check(server.ask("POST", "/v1/predict", one * 4, RAW)[0] == 200, "the queue is empty again")

    with Server(model, "--max-connections", 3, "--threads", 2) as server:
        peers = [server.connect() for _ in range(3)]
        for peer in peers:
            check(server.ask("GET", "/healthz", connection=peer)[0] == 200, "three connections are allowed")
        status, headers, answer = server.ask("GET", "/healthz")
        check(status == 503 and headers["Retry-After"] and headers["Connection"] == "close", f"a fourth is not: {answer}")
        peers.pop().close()
        check(within(5, lambda: server.ask("GET", "/healthz")[0] == 200), "a place that is left is free again")

    with Server(model, "--max-memory", 65536, "--threads", 1) as server:
        with socket.create_connection((server.host, server.port)) as holder:
            holder.sendall(request_bytes(bytes(40000), length=60000))
            within(5, lambda: b"inkling_body_bytes 0" not in server.ask("GET", "/metrics")[2])
            status, headers, answer = server.ask("POST", "/v1/predict", one * 20, RAW)
            check(status == 503 and headers["Retry-After"] and "large requests" in answer["error"], f"memory: {status} {answer}")
        check(within(5, lambda: server.ask("POST", "/v1/predict", one * 20, RAW)[0] == 200), "memory that was given back can be had again")


def test_slow(model, images):
    """Peers that drip, stop, go away: each costs its connection, and nobody else anything."""
    one = images[0].tobytes()
    with Server(model, "--timeout", 1, "--threads", 1) as server:
        begun = request_bytes(one)
        cases = {
            "a head that stops": (begun[:30], [408]), "a body that stops": (begun[:-10], [408]),
            "a first line that stops": (b"POST /v1", []), "nothing at all": (b"", []),
        }
        for what, (part, expected) in cases.items():
            answer = raw_exchange(server, part)
            check(statuses(answer) == expected, f"{what}: {answer}")
            check(expected == [] or json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408, f"{what}: told in JSON")
        answer = raw_exchange(server, *[begun[i:i + 8] for i in range(0, 400, 8)], pause=0.1)
        check(statuses(answer) in ([408], []), f"a drip does not extend the time: {answer}")
        idle = raw_exchange(server, begun)
        check(statuses(idle) == [200] and b"Connection: close" not in idle, "an idle connection is kept, then closed")
        check(b'status="408"} 3' in server.ask("GET", "/metrics")[2], "all are counted")

        # Who does not take an answer is cut off too, and its answer is not kept.
        with socket.create_connection((server.host, server.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                for _ in range(3000):
                    deaf.sendall(b"GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                pass
        check(server.ask("GET", "/healthz")[0] == 200, "a deaf peer")


def test_rough(server, images):
    """Bytes as no client library sends them."""
    one = images[0].tobytes()
    whole = request_bytes(one)
    check(statuses(raw_exchange(server, whole, half_close=True)) == [200], "a peer that closes its side is answered")
    ending = request_bytes(one, more="Connection: close\r\n")
    answer = raw_exchange(server, whole + request_bytes(bytes(784)) + whole + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + ending)
    check(statuses(answer) == [200] * 5, f"pipelined requests are answered in order: {statuses(answer)}")
    bodies = re.findall(rb'"predictions":(\[.*?\]\})', answer)
    check(len(bodies) == 4 and bodies[0] == bodies[2] == bodies[3] != bodies[1], "each with its own answer")
    chunked = (b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: " +
               RAW.encode() + b"\r\n\r\n" + b"".join(b"70\r\n" + one[i:i + 112] + b"\r\n" for i in range(0, 784, 112)))
    check(statuses(raw_exchange(server, chunked + b"0\r\n\r\n")) == [200], "a body in chunks")
    check(statuses(raw_exchange(server, chunked + b"zz\r\n")) in ([400], []), "chunks that are none")
    check(statuses(raw_exchange(server, *[whole[i:i + 97] for i in range(0, len(whole), 97)], half_close=True, pause=0.002)) ==
          [200], "a request in many pieces")

    for what, flood in {"a long line": b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                        "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
                        "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                        "noise": bytes(range(256)) * 100, "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
                        "no host": b"GET / HTTP/1.1\r\n\r\n", "two lengths": request_bytes(one, more="Content-Length: 5\r\n"),
                        "a negative length": request_bytes(one, length=-5), "a huge length": request_bytes(one, length=10**30),
                        "an old version": b"GET / HTTP/0.9\r\n\r\n", "a colon": b":\r\n\r\n"}.items():
        answer = raw_exchange(server, flood, half_close=True)
        codes = statuses(answer)
        check(all(400 <= code < 600 or code == 200 and what in ("two lengths",) for code in codes), f"{what}: {answer[:200]}")
        check(server.ask("GET", "/healthz")[0] == 200, f"{what}: the server goes on")
    for cut in range(0, len(whole), 60):
        with socket.create_connection((server.host, server.port)) as peer:
            peer.sendall(whole[:cut])
    check(server.ask("POST", "/v1/predict", one, RAW)[0] == 200, "after many that went away")


def test_many(server, model, work, images):
    """Clients at once, with different images and kinds of request: each gets its own answer, to the last bit."""
    expected = known(model, work, *images[:20])
    wrong = []

    def client(number):
        random = np.random.RandomState(number)
        connection = server.connect()
        for _ in range(60):
            picks = random.randint(0, 20, random.choice([1, 1, 1, 2, 7]))
            body, type, query = [(images[picks].tobytes(), RAW, ""),
                                 (json.dumps({"images": images[picks].reshape(len(picks), -1).tolist()}), JSON, ""),
                                 (json.dumps({"png": [base64.b64encode(png(images[i])).decode() for i in picks]}), JSON, "?fit=raw"),
                                 (b"{", JSON, "")][random.choice(4, p=[0.5, 0.2, 0.2, 0.1])]
            status, headers, answer = server.ask("POST", f"/v1/predict{query}", body, type, connection)
            if (status != 400) if body == b"{" else not np.array_equal(probabilities(answer), expected[picks]):
                wrong.append((number, status, str(answer)[:200]))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not wrong, f"clients at once: {wrong[:3]}")


def cut_off(server):
    """A peer that goes in the midst of a body."""
    with socket.create_connection((server.host, server.port)) as peer:
        peer.sendall(request_bytes(bytes(3000), length=90000))


def test_gone(server):
    """A peer that sends and goes at once is forgotten at once, and not when its time is over."""
    before = descriptors(server.process)
    for _ in range(1000):  # the end of one in a hundred or so falls between libmicrohttpd's looks
        cut_off(server)
    check(within(5, lambda: descriptors(server.process) <= before),
          f"1000 peers went: {before} descriptors became {descriptors(server.process)}")


def test_memory(server, images):
    """What was refused, cut off and answered leaves nothing behind: some fifty rounds take no more memory."""
    if SANITIZED:
        return  # the sanitizer keeps what was freed, and finds leaks itself
    def growth():
        before = resident(server.process)
        for i in range(50):
            server.ask("POST", "/v1/predict?number=true&pixels=true&layers=0", png(255 * np.eye(60)), PNG)
            server.ask("POST", "/v1/predict", images[:50].tobytes(), RAW)
            server.ask("POST", "/v1/predict", b'{"png":["iVBORw0KGgo="]}', JSON)
            cut_off(server)
        return resident(server.process) - before
    grown = [growth()]
    while grown[-1] > 40 and len(grown) < 20:  # less than a byte in a hundred of what came and went
        grown.append(growth())
    check(grown[-1] <= 40, f"kB that every 50 rounds took: {grown}")


# ---- The end ----

def takes_nobody_in(server):
    """Waits until connections are refused."""
    for _ in range(1000):
        try:
            socket.create_connection((server.host, server.port)).close()
            time.sleep(0.02)
        except ConnectionError:
            return True
    return False


def test_end(model, images):
    one = images[0].tobytes()
    whole = request_bytes(one)
    # Half a request is there when the signal comes, and is answered all the same.
    with Server(model, "--threads", 2) as server:
        peers = [socket.create_connection((server.host, server.port)) for _ in range(20)]
        for peer in peers:
            peer.sendall(whole[:500])
        while f"inkling_connections {len(peers) + 1}\n".encode() not in server.ask("GET", "/metrics")[2]:
            time.sleep(0.02)
        idle = server.connect()
        server.ask("GET", "/healthz", connection=idle)
        server.process.send_signal(signal.SIGTERM)
        check(takes_nobody_in(server), "a stopping server takes nobody in")
        check(idle.sock.recv(1) == b"", "it closes idle connections")
        for peer in peers:
            peer.sendall(whole[500:])
        answers = []
        for peer in peers:
            answer = b""
            while more := peer.recv(65536):
                answer += more
            answers.append(statuses(answer) == [200] and b"Connection: close" in answer)
            peer.close()
        check(all(answers), f"what was begun is answered: {answers}")
        code, error = server.process.wait(60), server.process.stderr.read()
        check(code == 0 and error == b"", f"and the exit code is 0: {code} {error}")

    # Under load: every answer that comes is whole and right, and what was sent on a new connection is answered.
    for how in (signal.SIGTERM, signal.SIGINT):
        with Server(model, "--threads", 2) as server:
            expected = server.ask("POST", "/v1/predict", one, RAW)[2]["predictions"]
            counts, wrong = [0] * 8, []

            def client(number):
                while True:
                    try:
                        connection = server.connect()
                        while True:
                            status, headers, answer = server.ask("POST", "/v1/predict", one, RAW, connection)
                            if status != 200 or answer["predictions"] != expected:
                                wrong.append((status, answer))
                            counts[number] += 1
                            if headers["Connection"] == "close":
                                break
                    except ConnectionRefusedError:
                        return
                    except Exception as error: # an idle connection was closed as the next request went out
                        if "Remote end closed" not in str(error) and not isinstance(error, ConnectionError):
                            wrong.append(repr(error))

            threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            while min(counts) < 20:
                time.sleep(0.01)
            code, error = server.stop(how)
            for thread in threads:
                thread.join()
            check(code == 0 and error == "" and not wrong, f"{how.name} under load: {code} {error} {wrong[:3]}")

    # A second signal does not wait.
    with Server(model, "--timeout", 600) as server:
        with socket.create_connection((server.host, server.port)) as slow:
            slow.sendall(whole[:100])
            while b"inkling_connections 2\n" not in server.ask("GET", "/metrics")[2]:
                time.sleep(0.02)
            server.process.send_signal(signal.SIGINT)
            takes_nobody_in(server) # two signals at once would be one
            check(server.process.poll() is None, "it waits for what was begun")
            code, error = server.stop(signal.SIGINT)
            check(code == 1 and "connections dropped" in error, f"until it is told again: {code} {error}")


# ---- Starting ----

def test_start(model, work, images):
    check_run(run("serve", "--help"), 0, "--max-body", "--max-pixels", "--max-batch", "--max-queue", "--max-connections",
              "--max-memory", "--timeout", "--token", "[default: 127.0.0.1]", "[default: 8080]")
    check_run(run("serve", f"{work}/missing"), 1, "missing")
    check_run(run("serve", write(f"{work}/bad", b"nothing")), 3, "bad")
    check_run(run("serve", model, "--host", "0.0.0.0"), 2, "--host 0.0.0.0", "--token")
    check_run(run("serve", model, "--host", "::"), 2, "--token")
    check_run(run("serve", model, "--host", "no such host"), 2, "--host no such host")
    check_run(run("serve", model, "--token", "short"), 2, "16 to")
    check_run(run("serve", model, "--token", "contains a space and more"), 2, "visible ASCII")
    check_run(run("serve", model, "--token-file", f"{work}/nothing"), 1, "cannot open")
    check_run(run("serve", model, "--token-file", write(f"{work}/empty", b"")), 3, "empty")
    check_run(run("serve", model, "--max-queue", 2, "--max-batch", 3), 2, "--max-queue 2")
    with Server(model) as server:
        check_run(run("serve", model, "--port", server.port), 1, f"port {server.port}", "in use")
        check(server.host == "127.0.0.1", "it listens on this machine alone")
    token_file = write(f"{work}/token", f"{TOKEN}\n".encode())
    for options in (["--token", TOKEN], ["--token-file", token_file, "--host", "0.0.0.0"]):
        with Server(model, *options) as server:
            server.host = "127.0.0.1"
            for path in ("/", "/page.js", "/healthz", "/openapi.json"):
                check(server.ask("GET", path)[0] == 200, f"{path} needs no token")
            for given, status in ((None, 401), ("Bearer " + TOKEN, 200), ("bearer " + TOKEN, 200), ("Bearer", 401), (TOKEN, 401),
                                  ("Bearer " + TOKEN[:-1], 401), ("Bearer " + TOKEN + "x", 401), ("Basic " + TOKEN, 401)):
                more = {"Authorization": given} if given else {}
                found = [server.ask("POST", "/v1/predict", images[0].tobytes(), RAW, **more),
                         server.ask("GET", "/v1/model", **more), server.ask("GET", "/metrics", **more)]
                check([row[0] for row in found] == [status] * 3, f"Authorization: {given}: {[row[0] for row in found]}")
                check(status == 200 or found[0][1]["WWW-Authenticate"] == "Bearer", "what is asked for")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return
    with Server(model, "--host", "::1") as server:
        check(server.url.startswith("http://[::1]:") and server.ask("GET", "/healthz")[0] == 200, "IPv6")


def test_documented(model, work):
    """The curl lines of docs/serve.md run."""
    if not shutil.which("curl"):
        return
    shutil.copy(ROOT / "examples/digit.png", f"{work}/photo.png")
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/serve.md").read_text(), re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line.startswith("curl ")]
    check(len(lines) >= 6, f"there are curl lines: {lines}")
    with Server(model) as server:
        for line in lines:
            line = re.sub(r"\s+#.*", "", line).replace("http://127.0.0.1:8080/", server.url)
            done = subprocess.run(["bash", "-o", "pipefail", "-c", line.replace("curl ", "curl --fail-with-body -sS ", 1)], cwd=work,
                                  capture_output=True, text=True, timeout=60)
            check(done.returncode == 0 and done.stdout != "", f"{line}: {done.stdout[:200]} {done.stderr}")


with folder() as work:
    model, images = make_model(work)
    test_start(model, work, images)
    with Server(model, "--threads", 2) as server:
        test_pages(server, model)
        test_predict(server, model, work, images)
        test_wrong(server, images)
        test_rough(server, images)
        test_many(server, model, work, images)
        test_gone(server)
        test_memory(server, images)
        code, error = server.stop()
        check(code == 0 and error == "", f"after all that it ends well: {code} {error}")
    test_metrics(model, images)
    test_limits(model, images)
    test_slow(model, images)
    test_end(model, images)
    test_documented(model, work)
finish()
