"""What cmake/hardening.cmake promises, read off the program: hardening.py PROGRAM CONFIGURATION."""
import re
import subprocess
import sys


def readelf(*what):
    return subprocess.run(["readelf", "-W", *what, sys.argv[1]], check=True, capture_output=True, text=True).stdout


header, segments, dynamic, symbols = readelf("-h"), readelf("-l"), readelf("-d"), readelf("--dyn-syms")
stack = re.search(r"GNU_STACK.*", segments)
checks = {
    "loaded anywhere (PIE)": re.search(r"Type:\s+DYN", header) and "PIE" in dynamic,
    "relocations read-only (RELRO)": "GNU_RELRO" in segments,
    "all of them resolved first (BIND_NOW)": re.search(r"FLAGS.*(BIND_NOW|NOW)", dynamic),
    "a stack that is not run": stack and "RWE" not in stack[0],
    "no segment that is written and run": not re.search(r"LOAD.*RWE", segments),
    "no folder in which libraries are looked for": "RPATH" not in dynamic and "RUNPATH" not in dynamic,
    "stack guards": "__stack_chk_fail" in symbols,
}
if sys.argv[2] == "Release":
    checks["fortified calls"] = len(re.findall(r"__\w+_chk\b", symbols)) >= 5
failed = [what for what, holds in checks.items() if not holds]
for what in failed:
    print("FAILED:", what)
print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
sys.exit(bool(failed))
