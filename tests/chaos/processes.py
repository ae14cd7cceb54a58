"""Finds processes by their environment and by the name that Ray gives them, and ends them."""

import os
from collections.abc import Iterable

import psutil


def having(variable: str, value: str) -> set[psutil.Process]:
    """Returns the living processes, other than this one, whose environment has `variable=value`; children inherit it."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process)
        except psutil.Error:
            continue
    return found


def title(process: psutil.Process) -> str:
    """Returns the command line as one string; Ray writes there what a worker does, as in `ray::InlineRun.train()`."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def called(processes: Iterable[psutil.Process], *names: str) -> list[psutil.Process]:
    """Returns those whose title has one of `names`, by process id."""
    return sorted((process for process in processes if any(name in title(process) for name in names)), key=lambda process: process.pid)


def kill(processes: Iterable[psutil.Process]) -> None:
    """Sends SIGKILL to all of them at once and waits until they are gone."""
    victims = list(processes)
    for process in victims:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(victims, timeout=10)


def kill_all(variable: str, value: str) -> None:
    """Ends everything that has `variable=value`, again until nothing of it is left."""
    while victims := having(variable, value):
        kill(victims)
