"""The command `backendlab`: one line for each thing it can do, and the module that does it.

To add a command, add a line to COMMANDS: its name, its help, its module. The module offers two functions:

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...   # nothing to add: `pass`
    def run(args: argparse.Namespace) -> int: ...                     # the exit status

Only the module of the command that was asked for is imported, so that each starts as fast as it can; what a module
imports is paid for by its own command alone. A problem that is the person's to solve is `raise Trouble(text)`, where
text says what happened, what it means and what to do next: it is printed without a traceback, and the status is 1.
"""

import argparse
import importlib
import sys

import backendlab
from backendlab.trouble import Trouble

COMMANDS = {
    "lab": ("open JupyterLab at a lesson", "backendlab.launch"),
    "doctor": ("say what each real part is, and whether it starts", "backendlab.doctor"),
    "setup": ("fetch now the npm packages that some lessons fetch when first run", "backendlab.bundles"),
    "build": ("make notebooks/ and release/ from source/", "backendlab.course.build"),
    "contract": ("try every exercise: stub, solution, kept wrong and right answers", "backendlab.course.contract"),
    "release": ("make a lesson's release anew for a cohort", "backendlab.course.release"),
    "grade": ("grade what a cohort handed in", "backendlab.course.grade.command"),
    "check": ("run the hidden tests on your own notebook", "backendlab.learner.check"),
    "hint": ("show an exercise's hint", "backendlab.learner.hint"),
    "progress": ("show where you stand, as a table and a picture", "backendlab.learner.progress"),
    "update": ("bring the newest course and keep your answers", "backendlab.learner.update"),
}


def main(argv: list[str] | None = None) -> int:
    """Run `backendlab argv…` and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    # jsonschema tries to import this package for one of its formats, IRIs (which neither notebooks nor Jupyter use),
    # and its import takes longer than all else that JupyterLab or nbgrader import: it compiles a grammar.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    parser = argparse.ArgumentParser(prog="backendlab", description=(backendlab.__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, (text, module) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if argv[:1] == [name]:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(argv)
    try:
        return importlib.import_module(COMMANDS[args.command][1]).run(args)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
