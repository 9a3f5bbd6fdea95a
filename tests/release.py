"""A release is the same bytes whenever, by whomever and in whatever surroundings it is made: release.py SOURCE."""
import json
import os
import subprocess
import sys
import tarfile
import tempfile

SOURCE = sys.argv[1]
if subprocess.run(["git", "-C", SOURCE, "rev-parse", "HEAD"], capture_output=True).returncode != 0:
    print("skipped: this is no git repository")
    sys.exit(77)


def make(folder, **changes):
    subprocess.run([f"{SOURCE}/script/release", folder], check=True, capture_output=True, env=os.environ | changes)
    return {name: open(f"{folder}/{name}", "rb").read() for name in os.listdir(folder)}


with tempfile.TemporaryDirectory(prefix="inkling-test-") as work:
    one = make(f"{work}/one")
    old = os.umask(0o077)
    two = make(f"{work}/two", TZ="Asia/Shanghai", LC_ALL="C", GZIP="-1", HOME="/nowhere")
    os.umask(old)
    later = make(f"{work}/later", SOURCE_DATE_EPOCH="1700000000")
    assert len(one) == 3 and one == two, "the same commit gives the same bytes"
    tarball = next(name for name in one if name.endswith(".tar.gz"))
    assert one[tarball] != later[tarball], "SOURCE_DATE_EPOCH is the time of its files"
    with tarfile.open(f"{work}/later/{tarball}") as tar:
        assert {member.mtime for member in tar} == {1700000000}
        names = {member.name.split("/", 1)[1] for member in tar if "/" in member.name}
    assert {"README.md", "LICENSE", "CMakeLists.txt", "lib/base/error.c"} <= names, "the sources are in it"
    spdx = json.loads(one[tarball.replace(".tar.gz", ".spdx.json")])
    known = {package["name"] for package in spdx["packages"]}
    assert {"inkling", "zlib", "libdeflate", "libpng", "jansson", "openssl", "curl", "libmicrohttpd", "protobuf-c",
            "wasi-libc"} == known
    assert len(spdx["relationships"]) == len(spdx["packages"])
print("1 passed, 0 failed")
