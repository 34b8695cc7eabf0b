"""Runs commands of Mercurial, each in a process of its own that is forked from this one, which has Mercurial
imported already. To import it takes most of the time of a small command.

A request on standard input, and its answer on standard output:
    number of strings, and each of them after its length: the folder to run in, a file for its standard output,
    one for its standard error, the number of arguments, the arguments, then NAME=VALUE for each variable
    the status of the process as waitpid gives it
Every number has four bytes, the lowest first.
"""

import gc
import importlib
import os
import pkgutil
import sys
import tempfile

import mercurial
from mercurial import dispatch, pycompat

for module in pkgutil.iter_modules(mercurial.__path__):
    # What is for another system, or for a program that is not installed.
    try:
        importlib.import_module("mercurial." + module.name)
    except Exception:
        pass

requests, answers = os.fdopen(0, "rb", 0), os.dup(1)
gc.freeze()


def read(size):
    data = b""
    while len(data) < size:
        more = requests.read(size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data


def number():
    return int.from_bytes(read(4), "little")


def run(folder, out, err, count, *rest):
    arguments, variables = rest[: int(count)], rest[int(count) :]
    for place, name in ((0, b"/dev/null"), (1, out), (2, err)):
        opened = os.open(name, os.O_RDWR)
        os.dup2(opened, place)
        os.close(opened)
    os.environb.clear()
    os.environb.update(variable.split(b"=", 1) for variable in variables)
    os.chdir(folder)
    tempfile.tempdir = None
    # What it was started with is kept when it is imported.
    pycompat.sysargv[:] = [b"hg", *arguments]
    try:
        dispatch.run()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing is cleared away but by the end of the process.
        os._exit(end.code or 0)
    os._exit(0)


while True:
    request = [read(number()) for _ in range(number())]
    child = os.fork()
    if not child:
        run(*request)
    os.write(answers, os.waitpid(child, 0)[1].to_bytes(4, "little"))
