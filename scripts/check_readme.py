#!/usr/bin/env python3
"""Compares the README's programs with the examples that CI compiles and runs.

    scripts/check_readme.py [ROOT]       check a checkout (default: this one)
    scripts/check_readme.py --self-test  plant mistakes; each must be found

Each C++ block stands below a comment that names its file, and is that file,
blank lines aside, in fifteen lines.
"""

import re
import sys

import checks

MAX_LINES = 15
BLOCK = re.compile(r"(?:<!-- (\S+) -->\n)?```cpp\n(.*?)```", re.DOTALL)


def without_blank_lines(text):
    return [line for line in text.splitlines() if line.strip()]


def check(root):
    readme = root / "README.md"
    if not readme.exists():
        return []
    problems = []
    for match in BLOCK.finditer(readme.read_text(encoding="utf-8")):
        name, block = match.group(1), without_blank_lines(match.group(2))
        if not name or not (root / name).exists():
            problems.append(f"README.md: a program of no file ({name})")
            continue
        program = (root / name).read_text(encoding="utf-8")
        if without_blank_lines(program) != block:
            problems.append(f"README.md: not what {name} says")
        elif len(block) > MAX_LINES:
            problems.append(f"README.md: {name} has {len(block)} lines")
    return problems


PLANTED = (
    ("README.md", "# x\n\n```sh\nls\n```\n", ""),
    ("README.md", "```cpp\nint a;\n```\n", "no file (None)"),
    ("README.md", "<!-- a.cc -->\n```cpp\nint a;\n```\n", "no file (a.cc)"),
    ("README.md", "<!-- README.md -->\n```cpp\nint a;\n```\n", "not what"),
)

if __name__ == "__main__":
    sys.exit(checks.main("readme", __doc__, sys.argv[1:], check, PLANTED))
