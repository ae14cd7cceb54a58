"""Checks what is to be submitted, as far as that can be done before a cluster is asked, and packs it."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from g3dr.errors import G3drError
from orchestrator.cluster.growth import VARIABLE as GROWTH_VARIABLE
from orchestrator.cluster.submitting.arriving import HOOK, PYTHON
from orchestrator.cluster.submitting.errand import Errand
from orchestrator.cluster.submitting.identity import fingerprint
from orchestrator.cluster.submitting.leaks import check_leaks, secrets_of
from orchestrator.cluster.submitting.packing import Contents, PackageError, look, pack, working_folder
from orchestrator.cluster.submitting.sealing import VARIABLE, seal
from orchestrator.cluster.submitting.travelling import check_arrival, check_paths, folders_named, open_root
from orchestrator.experiment.loading import STANDARD_INPUT, load_experiment
from orchestrator.experiment.spec import Experiment
from orchestrator.lineage import STATE_VARIABLE, git_state
from orchestrator.store import Store

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class VariableError(G3drError):
    """A variable that cannot be passed on."""


@dataclass(frozen=True)
class Order:
    """What a person asks for.

    Attributes:
        file: The experiment's file.
        settings: `path=value` texts.
        root: Replaces the file's root.
        names: Environment variables to pass on.
        working_dir: The folder that travels, if it is not to be found out.
        prices: A file of prices, for costs in the job's plan.
        cluster: A file that says what the cluster can grow to, where its head does not know.
        fail_fast: Stop at the first run that fails.
    """

    file: Path
    settings: Sequence[str] = ()
    root: str | None = None
    names: Sequence[str] = ()
    working_dir: Path | None = None
    prices: str | None = None
    cluster: str | None = None
    fail_fast: bool = False


@dataclass(frozen=True)
class Parcel:
    """What is ready to travel.

    Attributes:
        experiment: Resolved.
        store: Its root.
        contents: What travels of the working directory, and what does not.
        package: The ZIP file.
        command: What a shell runs there.
        names: Environment variables that are passed on.
        folders: Absolute folders that every machine must see.
        fingerprint: Equal for what would do the same work.
    """

    experiment: Experiment
    store: Store
    contents: Contents
    package: bytes
    command: str
    names: tuple[str, ...]
    folders: tuple[str, ...]
    fingerprint: str

    def errand(self, package: Path, environment: Mapping[str, str], token: str | None) -> Errand:
        """Returns what the job is to do; values travel sealed.

        Args:
            package: Where the ZIP file was written.
            environment: This process's variables.
            token: The cluster's; there must be one where variables are passed on.
        """
        variables = {STATE_VARIABLE: json.dumps(git_state(self.contents.folder))}
        if self.names and token is not None:
            variables[VARIABLE] = seal({name: environment[name] for name in self.names}, token)
        return Errand(self.experiment.name, self.store.uri, self.command, package, variables, self.fingerprint)


def prepare(order: Order, environment: Mapping[str, str], token: str | None) -> Parcel:
    """Checks an order and packs it; nothing has left this machine then.

    Args:
        order: What is asked for.
        environment: This process's variables.
        token: The cluster's, if there is one: it must stand in no file.

    Raises:
        G3drError: Something cannot be submitted: the experiment, its paths, a variable, the package. One sentence says why.
    """
    if str(order.file) == STANDARD_INPUT:
        raise PackageError("standard input does not travel: write the experiment to a file")
    experiment = load_experiment(order.file, order.settings, order.root)
    store = open_root(experiment)
    check_paths(experiment)
    names = check_names(order.names, environment)
    folder = working_folder(order.file, order.working_dir)
    contents = look(folder)
    file = inside(order.file, contents)
    check_version(contents)
    command = command_of(order, file, lambda path: inside(Path(path), contents))
    check_leaks(contents.read(), [("the job's command", command)], secrets_of(environment, names, token))
    package, digest = pack(contents)
    check_arrival(package, file, order.settings, order.root, experiment)
    mark = fingerprint(experiment.to_json(), digest, names, command)
    return Parcel(experiment, store, contents, package, command, names, tuple(folders_named(experiment)), mark)


def inside(file: Path, contents: Contents) -> str:
    """Returns the path of a file in the package.

    Raises:
        PackageError: It does not travel.
    """
    real = file.resolve()
    if not real.is_relative_to(contents.folder):
        raise PackageError(f"{file} does not lie in {contents.folder}, which is what travels; name another folder with --working-dir")
    path = real.relative_to(contents.folder).as_posix()
    if path not in contents.sizes:
        reason = next((reason for reason, paths in contents.staying.items() if path in paths), "ignored or missing")
        raise PackageError(f"{file} does not travel ({reason}); see g3dr submit --help for what does")
    return path


def check_version(contents: Contents) -> None:
    """Refuses a checkout of this project in which what opens sealed values is missing; what travels wins over what is installed there.

    Raises:
        PackageError: It is of another version.
    """
    hook = HOOK.rpartition(".")[0].replace(".", "/") + ".py"
    if "orchestrator/__init__.py" in contents.sizes and hook not in contents.sizes:
        raise PackageError(f"{contents.folder} holds another version of this project, without {hook}: use the g3dr of that checkout")


def command_of(order: Order, file: str, packed: Callable[[str], str]) -> str:
    """Returns the job's command, for a shell in the package's folder; the interpreter is that of Ray's workers.

    Args:
        order: What is asked for.
        file: The experiment's path in the package.
        packed: Returns the path in the package of another file.
    """
    words = ["run", file, "--yes"]
    words += ["--root", order.root] if order.root is not None else []
    words += [word for setting in order.settings for word in ("--set", setting)]
    words += ["--prices", packed(order.prices)] if order.prices is not None else []
    words += ["--fail-fast"] if order.fail_fast else []
    growth = f"{GROWTH_VARIABLE}={shlex.quote(packed(order.cluster))} " if order.cluster is not None else ""
    return f'{growth}"${{{PYTHON}:-python}}" -m orchestrator {shlex.join(words)}'


def check_names(names: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the names of the variables to pass on, each once.

    Raises:
        VariableError: One is no name, is not set here, or belongs to the cluster.
    """
    for name in names:
        if "=" in name:
            raise VariableError(
                f"--env {name.partition('=')[0]}=...: only the name is given, the value comes from this environment; "
                "a command line can be read by everybody on this machine"
            )
        if not _NAME.fullmatch(name):
            raise VariableError(f"--env {name}: not a variable's name")
        if name.startswith("RAY_") or name in (VARIABLE, PYTHON, STATE_VARIABLE):
            raise VariableError(f"--env {name}: the cluster has its own")
        if name not in environment:
            raise VariableError(f"--env {name}: not set here")
    return tuple(dict.fromkeys(names))
