#!/usr/bin/env python3
"""Our client and servers against those of others, on loopback.

    run.py BUILD_FOLDER WORK_FOLDER [--go PROGRAM] [--envoy PROGRAM]
           [--h2spec PROGRAM] [--controlplane PROGRAM]

Takes nghttpd, h2load and curl from the path, the Go ends (peer/,
controlplane/), Envoy and h2spec from where the options say; what is not given is skipped, with a word.
Says a line for each pair of peers; the exit status is 1 if any failed.
"""

import argparse
import pathlib
import sys
import time

import envoy
import faults
import peers
import serve
import xds
from harness import Harness, skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    for program in ("go", "envoy", "h2spec", "controlplane"):
        parser.add_argument(f"--{program}")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with Harness(options) as harness:
        plain = harness.start([harness.interop, "serve"], lines=1)
        secure = harness.start(
            [harness.interop, "serve", harness.certificates], lines=1)
        peers.run(harness, plain, secure)
        if options.envoy:
            harness.group("Envoy", envoy.run, plain, secure)
            harness.group("fault filters", faults.run, plain)
            harness.group("meshctl serve", serve.run)
        else:
            skip("Envoy", "there is none")
        if options.envoy and options.go and options.controlplane:
            harness.group("go-control-plane", xds.run)
        else:
            skip("go-control-plane", "it or a server for it is missing")
    print(f"interop: {harness.passed} passed, {len(harness.failed)} failed, "
          f"{time.monotonic() - begin:.0f} s")
    return 1 if harness.failed else 0


sys.exit(main())
