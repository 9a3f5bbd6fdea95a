"""The command line itself: wrong usage, help, version, exit codes, and a standard output that cannot be written."""
import os
import re
import subprocess

from helper import PROGRAM, check, check_run, environment, finish, folder, run

COMMANDS = ["train", "eval", "predict", "show", "notebook", "fetch"]

# arguments -> words that the message must have; every one of them exits with code 2
WRONG = [
    ("trian", "unknown command 'trian'", "did you mean 'train'"),
    ("qqqqqq", "unknown command 'qqqqqq'", "inkling --help"),
    ("--versoin", "unknown option '--versoin'"),
    ("help shwo", "did you mean 'show'"),
    ("train", "found 0 arguments", "expected DATA"),
    ("train synthetic", "--output FILE", "required"),
    ("train synthetic -o", "'--output' needs a value"),
    ("train synthetic -o --quiet", "'--output' needs a value"),
    ("train synthetic other -o m", "unexpected argument 'other'"),
    ("train synthetic -o m --epoch 3", "unknown option '--epoch'", "did you mean '--epochs'"),
    ("train synthetic -o m -z", "unknown option '-z'", "inkling train --help"),
    ("train synthetic -o m --quiet=yes", "'--quiet' takes no value"),
    ("train synthetic -o m --epochs ten", "--epochs", "found 'ten'", "a whole number from 1 to 1000000"),
    ("train synthetic -o m --epochs 0", "--epochs", "found '0'"),
    ("train synthetic -o m --epochs -3", "--epochs", "found '-3'"),
    ("train synthetic -o m --epochs 1.5", "--epochs", "found '1.5'"),
    ("train synthetic -o m --epochs 0x10", "--epochs", "found '0x10'"),
    ("train synthetic -o m --epochs=", "--epochs", "found ''"),
    ("train synthetic -o m --epochs 99999999999999999999999", "--epochs", "from 1 to 1000000"),
    ("train synthetic -o m --batch 0", "--batch", "found '0'"),
    ("train synthetic -o m --threads 100000", "--threads", "from 0 to 1024"),
    ("train synthetic -o m --lr nan", "--learning-rate", "found 'nan'"),
    ("train synthetic -o m --lr inf", "--learning-rate", "found 'inf'"),
    ("train synthetic -o m --lr 1e999", "--learning-rate", "found '1e999'"),
    ("train synthetic -o m --lr 0,1", "--learning-rate", "found '0,1'"),
    ("train synthetic -o m --lr -0.1", "--learning-rate", "found '-0.1'"),
    ("train synthetic -o m --optimizer adm", "found 'adm'", "sgd", "did you mean 'adam'"),
    ("train synthetic -o m --schedule zigzag", "found 'zigzag'", "one-cycle"),
    ("train synthetic -o m --seed 9007199254740993000", "--seed", "9007199254740992"),
    ("train synthetic -o .", "found a folder"),
    ("train synthetic -o /dev/null", "found a device"),
    ("train synthetic -o m --net", "'--net' needs a value"),
    ("eval m", "found 1 argument", "MODEL DATA"),
    ("eval m d x", "unexpected argument 'x'"),
    ("eval m d --min-accuracy 97", "--min-accuracy", "from 0 to 1"),
    ("eval m d --split tets", "found 'tets'", "did you mean 'test'"),
    ("predict m", "found 1 argument", "PICTURE"),
    ("predict m p --top 0", "--top"),
    ("predict m p --color red", "auto, always, never"),
    ("show", "found 0 arguments"),
    ("notebook extra", "unexpected argument 'extra'"),
    ("notebook --seed 4294967296", "--seed", "from 0 to 4294967295"),
]


def test_wrong_usage():
    with folder() as work:
        for line, *words in WRONG:
            done = run(*line.split(), cwd=work)
            check_run(done, 2, *words)
            check(done.out == "" and done.err.startswith("inkling: ") and done.err.count("\n") == 1,
                  f"{line}: one line on stderr alone, found {done.out + done.err!r}")
        check(os.listdir(work) == [], f"wrong usage leaves no file, found {os.listdir(work)}")
    check_run(run(), 2, "Usage: inkling COMMAND")
    check_run(run("show", "synthetic", env=environment(INKLING_KERNELS="sse9")), 0)
    check_run(run("--version", env=environment(INKLING_KERNELS="portabel")), 2, "'portabel'", "try 'portable'")


def test_help():
    program = run("--help")
    check_run(program, 0, *COMMANDS)
    check(program.err == "" and run("help").out == program.out == run("-h").out, "help, -h and --help say the same")
    for command in re.findall(r"^  ([a-z]+) ", program.out.partition("Commands:")[2].partition("\n\n")[0], re.M):
        done = run(command, "--help")
        check_run(done, 0, f"Usage: inkling {command}", "Options:", "--help")
        check(done.err == "" and run("help", command).out == done.out, f"help {command}")
        check(run(command, "--help", "--nonsense").code == 0, f"{command}: --help ends the line")
        check(all(len(line) <= 80 for line in done.out.splitlines()), f"{command}: help within 80 columns")
        # Each option that help lists is one that the command knows: without its value it is asked for one.
        for option, value in re.findall(r"^  (?:-\w,|   ) --([\w-]+)(?:, --[\w-]+)?( [A-Z]+)?", done.out, re.M):
            if value:
                check_run(run(command, f"--{option}"), 2, f"'--{option}' needs a value")
    check_run(run("train", "--help"), 0, "--learning-rate, --lr R", "[default: notebook]", "[default: 10]",
              "dense 50 sigmoid, dense 100 sigmoid, dense 10", "Examples:", "-o, --output FILE", "(required)")


def test_version():
    done = run("--version")
    check_run(done, 0, "inkling 0.", "kernels:", "portable", "features:", "fetch")
    check_run(run("--version", env=environment(INKLING_KERNELS="portable")), 0, "kernels: portable")


def test_output_errors():
    """What cannot be printed is an error, and never lands in another file."""
    for arguments in (["--version"], ["show", "synthetic"], ["train", "--help"]):
        quoted = " ".join(arguments)
        closed = subprocess.run(["sh", "-c", f'exec "$0" {quoted} >&-', PROGRAM], env=environment(),
                                stderr=subprocess.PIPE)
        check(closed.returncode == 1 and b"standard output: cannot write" in closed.stderr,
              f"{quoted} with stdout closed: {closed}")
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                check_run(run(*arguments, stdout=full), 1, "standard output: cannot write: No space left")
    check(subprocess.run(["sh", "-c", 'exec "$0" --version 2>&- <&-', PROGRAM], env=environment(),
                         stdout=subprocess.DEVNULL).returncode == 0, "--version with stdin and stderr closed")


def test_end_of_options():
    with folder() as work:
        check_run(run("show", "--", "--help", cwd=work), 1, "inkling: --help: ")
        check_run(run("show", "--json", "--", "synthetic", cwd=work), 0, '"synthetic"')


test_wrong_usage()
test_help()
test_version()
test_output_errors()
test_end_of_options()
finish()
