"""What the checks of a checkout share: the command line and the self-test.

A check is a function of a checkout's folder that returns its problems, each
a line of text. Its self-test plants files, one in an empty checkout at a
time: (name, text, what the only problem must say, or "" for no problem).
"""

import pathlib
import sys
import tempfile

# What a check may expect to be there.
FOLDERS = ("src", "include/meshlib")


def problems_of_planted(check, name, text):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for part in FOLDERS:
            (root / part).mkdir(parents=True)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        return check(root)


def self_test(check, planted):
    """The number of planted files on which the check errs."""
    failed = 0
    for name, text, expected in planted:
        found = problems_of_planted(check, name, text)
        good = (len(found) == 1 and expected in found[0]) if expected else \
            not found
        if not good:
            failed += 1
            print(f"self-test: {name}: want {expected or 'no problem'!r}, "
                  f"got {found}")
    print(f"self-test: {len(planted) - failed} of {len(planted)} passed")
    return failed


def main(title, usage, arguments, check, planted):
    """Runs the check, or its self-test; returns the exit status."""
    if arguments == ["--self-test"]:
        return 1 if self_test(check, planted) else 0
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(usage, file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[0] if arguments else
                        pathlib.Path(__file__).parent.parent).resolve()
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"{title}: {len(problems)} problems")
    return 1 if problems else 0
