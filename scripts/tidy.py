#!/usr/bin/env python3
"""Runs clang-tidy over the library within a time budget.

    scripts/tidy.py BUILD_FOLDER [--seconds N] [--jobs N] [FILE...]

A file that passed is not looked at again until it, a header of ours that it
includes, its compile command or .clang-tidy changes; the results are kept
beside ccache's. Files changed since the last commit and in it come first, so
what the budget leaves out is old code, and the next run takes it up.
Exit 1 if any file has findings.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = "clang-tidy-16"


def ours(path):
    """Sources of the library and its tool that a person wrote."""
    relative = os.path.relpath(path, ROOT)
    return (relative.startswith(("src/", "examples/")) and
            not relative.endswith(".pb.cc"))


def headers_of(build):
    """Object -> the headers below ROOT that it was built from."""
    text = subprocess.run(["ninja", "-C", str(build), "-t", "deps"],
                          capture_output=True, text=True, check=True).stdout
    headers, current = {}, None
    for line in text.splitlines():
        if line and not line.startswith(" "):
            current = headers.setdefault(line.split(":", 1)[0], [])
        elif line.startswith(" "):
            path = os.path.normpath(os.path.join(build, line.strip()))
            if path.startswith(f"{ROOT}/"):
                current.append(path)
    return headers


def key_of(entry, headers, config, contents):
    digest = hashlib.sha256(config)
    digest.update(entry["command"].replace(str(ROOT), "").encode())
    for path in [entry["file"], *sorted(headers)]:
        if path not in contents:
            try:
                contents[path] = hashlib.sha256(
                    pathlib.Path(path).read_bytes()).digest()
            except FileNotFoundError:
                contents[path] = b""
        digest.update(os.path.relpath(path, ROOT).encode() + contents[path])
    return digest.hexdigest()


def changed_files():
    changed = set()
    for command in (["diff", "--name-only", "HEAD"],
                    ["diff", "--name-only", "HEAD~1", "HEAD"],
                    ["ls-files", "--others", "--exclude-standard"]):
        result = subprocess.run(["git", "-C", str(ROOT), *command],
                                capture_output=True, text=True, check=False)
        changed.update(str(ROOT / name) for name in result.stdout.split())
    return changed


def tidy(build, path):
    result = subprocess.run(
        ["nice", TOOL, "-p", str(build), "--quiet", path],
        capture_output=True, text=True, check=False)
    return path, result.returncode, result.stdout + (
        result.stderr if result.returncode and not result.stdout else "")


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() /
                                                   ".cache")
    folder = pathlib.Path(base) / "meshlib-ci" / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def plan(build, only):
    """(files to check in order, their keys, how many are cached)"""
    version = subprocess.run([TOOL, "--version"], capture_output=True,
                             text=True, check=True).stdout
    config = (ROOT / ".clang-tidy").read_bytes() + version.encode()
    commands = json.loads((build / "compile_commands.json").read_text())
    headers = headers_of(build)
    changed = changed_files()
    cache = cache_folder()
    contents, keys, todo, cached = {}, {}, [], 0
    for entry in commands:
        path = os.path.normpath(os.path.join(entry["directory"],
                                             entry["file"]))
        if not ours(path) or path in keys or (only and path not in only):
            continue
        entry["file"] = path
        output = re.search(r" -o (\S+)", entry["command"])
        used = headers.get(output.group(1)) if output else None
        if used is None:  # not built yet: nothing to remember a result by
            keys[path] = None
            todo.append(path)
            continue
        keys[path] = key_of(entry, used, config, contents)
        if (cache / keys[path]).exists():
            cached += 1
        else:
            todo.append(path)
    todo.sort(key=lambda path: (path not in changed, path))
    return todo, keys, cached


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    options = parser.parse_intermixed_args()
    build = options.build.resolve()
    only = {os.path.abspath(name) for name in options.files}
    todo, keys, cached = plan(build, only)
    cache = cache_folder()
    deadline = time.monotonic() + options.seconds
    bad = checked = left = 0

    def task(path):
        if time.monotonic() > deadline:
            return path, None, ""
        return tidy(build, path)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for path, code, output in pool.map(task, todo):
            if code is None:
                left += 1
                continue
            checked += 1
            if code:
                bad += 1
                print(output)
                print(f"clang-tidy: {os.path.relpath(path, ROOT)} failed")
            elif keys[path]:
                (cache / keys[path]).touch()
    print(f"clang-tidy: {checked} files checked, {bad} with findings, "
          f"{cached} unchanged since they passed, {left} left for the next "
          "run")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
