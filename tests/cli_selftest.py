#!/usr/bin/env python3
"""inkling selftest: the shipped checksums hold for every kernel set of this machine, and for any number of threads."""
from helper import check, check_run, environment, finish, run

RUNS = ["notebook", "lenet", "convnet", "residual", "augmented"]
kernels = run("--version").out.split("this machine runs ")[1].split(")")[0].split(", ")
check("portable" in kernels, f"the reference is among {kernels}")

done = run("selftest")
check_run(done, 0)
lines = [line.split() for line in done.out.splitlines()]
check([line[:3] for line in lines] == [[name, k, t] for k in kernels for name in RUNS for t in "1235"],
      f"every kernel set, run and number of threads: {done.out}")
check(all(line[4:] == ["ok"] for line in lines), "every line says ok")

done = run("selftest", "--threads", "4", env=environment(INKLING_KERNELS=kernels[-1]))
check_run(done, 0)
check([line.split()[:3] for line in done.out.splitlines()] == [[name, kernels[-1], "4"] for name in RUNS],
      f"one kernel set and one number of threads: {done.out}")

check_run(run("selftest", env=environment(INKLING_KERNELS="mmx")), 2, "INKLING_KERNELS", "mmx")
check_run(run("selftest", "--threads", "0"), 2, "--threads")
check_run(run("selftest", "mnist"), 2, "mnist")
finish()
