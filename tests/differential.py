"""Two readers of the same inputs: npy and npz by ours and by NumPy, JSON by ours and by Python. What ours takes, the other
takes with the same values; what ours refuses and the other takes is refused for one of the reasons below. The inputs are
written by NumPy and Python, most of them damaged afterwards, and the same ones every time.

    differential.py PROGRAM [TIMES]      PROGRAM is second_reader; TIMES as many inputs as the test has
"""
import collections
import io
import json
import random
import re
import struct
import subprocess
import sys
import warnings
import zipfile

import numpy as np

TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 1
warnings.simplefilter("ignore")

def unlike_numpy(data):
    """Whether an npy's header is other than NumPy writes it, blanks between its words aside."""
    wide = 2 if data[6] == 1 else 4
    words, brace, rest = data[8 + wide:8 + wide + int.from_bytes(data[8:8 + wide], "little")].rpartition(b"}")
    size = rb"(0|[1-9]\d*)"
    shape = rb"\((%b,|%b(,%b)+)?\)" % (size, size, size)
    return not (re.fullmatch(rb"\{'descr':'[<>|][A-Za-z]\d+','fortran_order':(True|False),'shape':%b," % shape,
                             words.replace(b" ", b"")) and re.fullmatch(rb" *\n?", rest))


# What only the other reader takes: the message of ours, why, and what must be so besides.
NUMPY_TAKES = [
    (r"elements of type|found records", "elements that are no booleans, integers, floats of 16 to 64 bits or text, or called otherwise"),
    (r"at most 8 dimensions", "NumPy has up to 32"),
    (r"a header of \d+ bytes, expected at most", "NumPy takes headers of 10,000 bytes"),
    (r"bytes of elements, expected \d+$", "bytes after the elements, which NumPy leaves unread"),
    (r"the sizes overflow when multiplied", "an array without elements, whose sizes NumPy never multiplies"),
    (r"the zip archive ends, expected byte", "bytes after the archive's end"),
    (r"an entry's name of \d+ bytes", "names of more than 255 bytes"),
    (r"is there twice", "two arrays of one name, of which NumPy takes the last"),
    (r"of the npy: expected", "the dictionary in other words of Python than NumPy's own", unlike_numpy),
    (r"expected an entry of the zip archive's directory|expected the end of it|\d+ entries, expected", "a count of entries that is wrong, which zipfile does not read"),
    (r"does not lie before the directory|the directory of the zip archive does not end",
     "places counted from elsewhere than the file's start, which zipfile corrects"),
    (r"an entry of \d+ bytes, expected at most|damaged extra fields", "an entry that ends beyond the directory, or its extra fields beyond it"),
    (r"entry '(?:(?!\.npy').)*' (has another name here|has method|needs version|is encrypted)|overlaps '(?:(?!\.npy').)*'$", "an entry that is no array, which NumPy leaves alone"),
    (r"a part of a split zip archive", "numbers of disks, which zipfile does not read"),
    (r"no 64-bit end of the zip archive", "a 64-bit end that is elsewhere than its locator says, where zipfile does not look"),
    (r"the data have CRC|the compressed data are damaged", "damage behind the elements, where NumPy does not read"),
    (r"of \d+ bytes cannot be \d+ in the file", "sizes that contradict each other in what NumPy does not read"),
]
# What only ours takes.
OURS_TAKES = r"File name in directory '.*[^\x00-\x7f].*' and header"  # the headers tell a name's encoding differently; ours is bytes
PYTHON_TAKES = [
    (r"too big (negative )?integer", "integers beyond 64 bits"),
    (r"real number overflow", "numbers beyond the largest double, infinite in Python"),
    (r"duplicate object key", "a key twice, of which Python takes the last"),
    (r"\\u0000 is not allowed|NUL byte", "zero characters in texts"),
    (r"invalid Unicode", "halves of surrogate pairs"),
    (r"'\[' or '\{' expected", "a value that is neither object nor array"),
    (r"invalid token near '-?(NaN|Infinity|N|I|-)", "NaN and Infinity, which are not JSON"),
]


# ---- Inputs ----

def damage(rng, data, tokens):
    """Some bytes changed, gone, there twice, or replaced by what the format knows."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        some = rng.choice((1, 1, 2, 4, 9, 30))
        how = rng.randrange(6)
        if how == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1 and at < len(data):
            data[at] = rng.choice((0, 1, 32, 48, 57, 127, 255))
        elif how == 2:
            del data[at:at + some]
        elif how == 3:
            data[at:at] = data[at:at + some]
        elif how == 4:
            data[at:at] = rng.choice(tokens)
        else:
            token = rng.choice(tokens)
            data[at:at + len(token)] = token
    return bytes(data)


def an_array(rng):
    kind = rng.choice("b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8 S3 U2 c8 M8[s] V2 O".split() if rng.random() < 0.2 else
                      "b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8 S3 U2".split())
    shape = tuple(rng.choice((0, 1, 1, 2, 3, 5)) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 3, 4, 4, 4)) if rng.random() < 0.97 else 9))
    count = int(np.prod(shape))
    if kind == "O":
        return np.full(shape, None)
    if kind[0] in "SU":
        values = np.array(["".join(rng.choice("abc\u00e9") for _ in range(2)).encode("latin-1") if kind[0] == "S" else
                           chr(rng.randrange(32, 0xd000)) for _ in range(count)], kind)
    else:
        values = np.frombuffer(rng.randbytes(count * np.dtype(kind).itemsize), kind)
        if kind == "b1":
            values = values.view("u1") % 2 == 1
    values = values.reshape(shape).astype(np.dtype(kind).newbyteorder(rng.choice("<>")))
    return np.asfortranarray(values) if rng.random() < 0.3 else values


def npy(rng, values):
    out = io.BytesIO()
    np.lib.format.write_array(out, values, version=rng.choice(((1, 0), (1, 0), (2, 0), (3, 0))))
    return out.getvalue()


HEADER = [token.encode() for token in (
    "'descr'", "'fortran_order'", "'shape'", "True", "False", "None", "'<f4'", "'>i2'", "'|u1'", "'|b1'", "'<U1'", "'|S0'", "'=f8'",
    "'f4'", "'float32'", "'<f16'", "'|O'", "[('a', '<f4')]", "(", ")", ",", ":", "{", "}", "'", '"', " ", "\n", "\t", "#", "(1,)", "()", "0",
    "00", "1_0", "0x1", "-1", "+1", "1.0", "1L", "(2, 0, 3)", "4294967296", "9223372036854775808", "18446744073709551616", "\\x66", "u'f4'")]


def an_npy(rng):
    data = npy(rng, an_array(rng))
    if rng.random() < 0.2:
        return data
    if rng.random() < 0.7:  # the dictionary; its length is mended, so that it is read
        wide = 2 if data[6] == 1 else 4
        size = int.from_bytes(data[8:8 + wide], "little")
        header = damage(rng, data[8 + wide:8 + wide + size].rstrip(), HEADER)
        header += b" " * rng.choice((0, 3)) + b"\n" * rng.choice((0, 1, 1))
        return data[:8] + len(header).to_bytes(wide, "little") + header + data[8 + wide + size:]
    return damage(rng, data, HEADER + [b"\x93NUMPY", b"\1\0", b"\2\0", b"\xff\xff"])


ZIP = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b".npy", b"\0\0", b"\1\0", b"\x08\0", b"\xff" * 4, b"\xff" * 8, b"\0" * 8]


def an_npz(rng):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in rng.sample(("x.npy", "y.npy", "x_train.npy", "\u00e9.npy", "readme", "a/b.npy"), rng.choice((0, 1, 2, 2, 3))):
            archive.writestr(zipfile.ZipInfo(name), npy(rng, an_array(rng)), rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
        if rng.random() < 0.1:
            archive.comment = b"a comment"
    data = bytearray(out.getvalue())
    if rng.random() < 0.1:
        return bytes(data)
    if rng.random() < 0.8:  # a field of a header, of the directory or of the end
        heads = [found.start() for found in re.finditer(rb"PK[\1\3\5]", data)]
        at = rng.choice(heads)
        at += rng.randrange(4, {1: 46, 3: 30, 5: 22}[data[at + 2]])
        token = rng.choice((rng.randbytes(1), rng.randbytes(2), b"\0\0", b"\1\0", b"\x08\0", b"\xff" * 4, b"\0" * 4))
        data[at:at + len(token)] = token
        return bytes(data)
    return damage(rng, data, ZIP)


JSON = [token.encode() for token in (
    "0", "-0", "01", "-", "1.", ".5", "1e5", "1E+5", "1e999", "-1e-999", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "1.7976931348623157e308", "5e-324", "0.1", "true", "false", "null", "NaN", "Infinity", "-Infinity", '"', "\\",
    "/", '"a":', '"a":1,', "[", "]", "{", "}", "[]", "{}", ",", ":", " ", "\t", "\n", "\f", "\v", "\x00", "\x01", "\x7f", "\\u0041",
    "\\u0000", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\n", "\\/", "\\x", "\\u12", "\u00e9", "\u20ac", "\U0001f600", "\ufeff", "//", "/**/",
    "'", "+1", "1_0", "\u00a0", "\u2028")] + [
    b"\x80", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xff"]


def a_value(rng, depth):
    how = rng.randrange(9 if depth > 0 else 7)
    if how > 6:
        size = rng.randrange(4)
        values = [a_value(rng, depth - 1) for _ in range(size)]
        return values if how == 7 else dict(zip(("a", "b", "\u00e9", ""), values))
    return (None, True, rng.randrange(-10, 10), rng.randrange(-2 ** 63, 2 ** 63), rng.uniform(-1, 1),
            struct.unpack("<d", rng.randbytes(7) + b"\x3f")[0], "".join(rng.choice("ab\"\\/\n\u00e9\U0001f600") for _ in range(3)))[how]


def a_json(rng):
    value = a_value(rng, 4)
    text = json.dumps(value if rng.random() < 0.05 else [value], ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1))).encode()
    return text if rng.random() < 0.1 else damage(rng, text, JSON)


# ---- Readers ----

def ours(kind, inputs):
    """For each input the status and what was found, or the message."""
    sent = b"".join(kind + struct.pack("<Q", len(data)) + data for data in inputs)
    done = subprocess.run([sys.argv[1]], input=sent, stdout=subprocess.PIPE, check=True).stdout
    at = 0
    for _ in inputs:
        status, size = struct.unpack_from("<BQ", done, at)
        yield status, done[at + 9:at + 9 + size]
        at += 9 + size


def told(name, array):
    """What second_reader says of an array."""
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    head = name + b"\n" + array.dtype.kind.encode() + struct.pack(f"<{2 + array.ndim}Q", array.dtype.itemsize, array.ndim, *array.shape)
    body = array.tobytes("F" if fortran else "C") if array.dtype.kind in "SU" else array.astype("<f8").tobytes()
    return head, body


def numpy_reads(data):
    """The arrays of a file, in the file's order."""
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return [told(b"", loaded)]
    names = [(entry.filename, entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437")) for entry in
             loaded.zip.infolist()]
    return [told(raw[:-4], loaded[name]) for name, raw in names if name.endswith(".npy")]


def same_arrays(found, arrays):
    for head, body in arrays:
        if not found.startswith(head) or len(found) < len(head) + 8 + len(body):
            return False
        found = found[len(head) + 8:]  # 8: which index runs fastest, of which NumPy's own flags say less
        same = found[:len(body)] == body
        if not same and head.partition(b"\n")[2][:1] == b"f":  # a NaN's sign and rest are free
            same = np.array_equal(*(np.frombuffer(bytes, "<f8") for bytes in (found[:len(body)], body)), equal_nan=True)
        if not same:
            return False
        found = found[len(body):]
    return not found


def python_reads(data):
    return json.loads(data.decode("utf-8"))


def same_json(found, value):
    def strict(value):  # 1, 1.0 and True are three things
        if isinstance(value, dict):
            return {key: strict(inner) for key, inner in value.items()}
        return [strict(inner) for inner in value] if isinstance(value, list) else (type(value).__name__, repr(value))
    return strict(json.loads(found)) == strict(value)


# ---- The comparison ----

def compare(name, kind, inputs, theirs, same, reasons):
    """Prints what was counted; returns how many inputs are not as they should be."""
    counted, wrong = collections.Counter(), 0
    for data, (status, found) in zip(inputs, ours(kind, inputs)):
        try:
            value, problem = theirs(data), None
        except Exception as caught:  # whatever the other reader says when it refuses
            value, problem = None, caught
        if status == 0 and problem is not None and re.search(OURS_TAKES, str(problem)):
            counted["only ours took, for a name's encoding"] += 1
        elif status == 0:
            counted["both took"] += 1
            if problem is not None or not same(found, value):
                wrong += 1
                print(f"FAILED: {name}: taken, but {problem!r}, {value!r}: {data!r}: {found!r}"[:1500])
        elif problem is not None:
            counted["both refused"] += 1
        else:
            counted["only ours refused"] += 1
            message = found.decode(errors="replace")
            known = [why for pattern, why, *besides in reasons
                     if re.search(pattern, message) and all(condition(data) for condition in besides)]
            if not known:
                wrong += 1
                print(f"FAILED: {name}: refused without a known reason: {message}: {data!r}"[:1500])
            elif status != 3:
                wrong += 1
                print(f"FAILED: {name}: status {status}, expected 3: {message}")
            else:
                counted[f"  {known[0]}"] += 1
    print(f"{name}: {len(inputs):,} inputs")
    for what, count in counted.items():
        print(f"  {count:,} {what}")
    return wrong


def main():
    failed = 0
    for name, kind, make, count, theirs, same, reasons in (
            ("npy", b"n", an_npy, 3000, numpy_reads, same_arrays, NUMPY_TAKES),
            ("npz", b"n", an_npz, 3000, numpy_reads, same_arrays, NUMPY_TAKES),
            ("JSON", b"j", a_json, 6000, python_reads, same_json, PYTHON_TAKES)):
        rng = random.Random(1)
        failed += compare(name, kind, [make(rng) for _ in range(count * TIMES)], theirs, same, reasons)
    print(f"{failed} differ without a reason")
    return failed > 0


sys.exit(main())
