#!/usr/bin/env python3
"""Holds meshctl's verdicts on the cases of this folder against Envoy's.

  compare.py [--envoy ENVOY] [--meshctl MESHCTL] [CASE...]

ENVOY is the real envoy (default: $ENVOY, then `envoy` of the PATH), MESHCTL
our tool (default: $MESHCTL, then build/bin/meshctl of this checkout).
Lists every case in which the two disagree without a reason in manifest.txt,
every recorded disagreement that is none any more, and every case whose
verdict is not the recorded one. Exits with 1 if there is any.
"""
import argparse
import os
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def read_manifest():
    """Yields (case, verdict, text, why Envoy says otherwise)."""
    for line in (FOLDER / "manifest.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            yield [part.strip() for part in line.split("|", 3)]


def verdict(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120,
                          check=False)
    return ("ok" if done.returncode == 0 else "error",
            (done.stderr + done.stdout).strip())


def default_meshctl():
    return str(FOLDER.parents[2] / "build/bin/meshctl")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envoy", default=os.environ.get("ENVOY", "envoy"))
    parser.add_argument("--meshctl", default=os.environ.get(
        "MESHCTL", default_meshctl()))
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    faults = 0
    compared = 0
    for case, recorded, _, reason in read_manifest():
        if arguments.cases and case not in arguments.cases:
            continue
        compared += 1
        path = str(FOLDER / (case + ".yaml"))
        ours, our_text = verdict([arguments.meshctl, "validate", path])
        envoys, envoy_text = verdict([arguments.envoy, "--mode", "validate",
                                      "-l", "error", "-c", path])
        messages = []
        if ours != recorded:
            messages.append(f"manifest says {recorded}, meshctl says {ours}")
        if ours != envoys and not reason:
            messages.append(f"meshctl says {ours}, Envoy says {envoys}")
        if ours == envoys and reason:
            messages.append(f"both say {ours}, but the manifest has a reason")
        if messages:
            faults += 1
            print(f"{case}: {'; '.join(messages)}")
            print("  meshctl:", our_text[-600:].replace("\n", "\n    "))
            print("  envoy:", envoy_text[-600:].replace("\n", "\n    "))
    print(f"{compared} cases, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
