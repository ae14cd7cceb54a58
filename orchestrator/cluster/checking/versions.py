"""Which Ray and which Python a cluster gets: the same everywhere, pinned, and those of this project."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import metadata, version
from typing import Any

from packaging.specifiers import SpecifierSet

from orchestrator.cluster.checking.findings import Finding, doubtful, is_placeholder, leaves, wrong

COMMANDS = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
_RAY_IMAGES = ("rayproject/ray", "rayproject/ray-ml", "rayproject/ray-llm")
_ROLLING = ("latest", "nightly")

_NIGHTLY_WHEEL = re.compile(r"ray-wheels/latest|ray-[\w.]+\.dev\d*")
_WHEEL = re.compile(r"\bray-(\d+\.\d+\.\d+)-cp(\d)(\d+)")
_PINNED_RAY = re.compile(r"\bray(?:\[[^\]]*\])?\s*==\s*([\w.]+)")
_LOOSE_RAY = re.compile(r"pip3? install\b[^;&|]*?[\s'\"]ray(?:\[[^\]]*\])?(?=['\"\s]|[<>~!]=?|$)(?!\s*@)")
_PYTHON = re.compile(r"(?:--python[ =]|\bpython=?=?)(\d\.\d+)")
_TAG_VERSION = re.compile(r"(\d+\.\d+\.\d+)(?=[.\-]|$)")
_TAG_PYTHON = re.compile(r"-py(\d)(\d+)")


@dataclass(frozen=True)
class Image:
    """A container image, as it is written."""

    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "Image":
        """Takes `host:port/name:tag@digest` apart."""
        rest, _, digest = text.partition("@")
        folder, slash, last = rest.rpartition("/")
        name, _, tag = last.partition(":")
        return cls(f"{folder}{slash}{name}", tag, digest)

    @property
    def is_of_ray(self) -> bool:
        """Whether the Ray project makes it, so that its tag says what is in it."""
        return self.name.removeprefix("docker.io/") in _RAY_IMAGES


def installed_ray() -> str:
    """Returns the version of Ray that this project is pinned to and runs with."""
    return version("ray")


def image_findings(path: str, text: object, *, has_gpus: bool = False) -> Iterator[Finding]:
    """Yields what is wrong with a container image.

    Args:
        path: Where it stands.
        text: The image.
        has_gpus: Whether machines with GPUs run it.
    """
    if is_placeholder(text):
        return
    image = Image.parse(str(text))
    if not image.digest and (not image.tag or image.tag.split("-")[0] in _ROLLING):
        yield wrong(path, text, "an image with the tag of a version, or a digest: what this names changes from day to day")
        return
    if not image.is_of_ray:
        return
    found = _TAG_VERSION.match(image.tag)
    if image.tag and (found is None or found.group(1) != installed_ray()):
        yield wrong(path, text, f"an image of Ray {installed_ray()}, the version that this project is pinned to")
    if has_gpus and image.tag and "-gpu" not in image.tag and "-cu" not in image.tag:
        yield doubtful(path, text, "an image with CUDA, -gpu or -cu..., where machines have GPUs")


def images_of(document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yields the container images of a launcher file, with their paths."""
    docker = document.get("docker") or {}
    for key in ("image", "head_image", "worker_image"):
        if docker.get(key):
            yield f"docker.{key}", docker[key]
    for name, kind in (document.get("available_node_types") or {}).items():
        own = (kind.get("docker") or {}).get("worker_image")
        if own:
            yield f"available_node_types.{name}.docker.worker_image", own


def command_findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with what the commands of a launcher file install."""
    commands = list(commands_of(document))
    for path, command in commands:
        yield from _ray_of_command(path, command)
    has_image = any(True for _ in images_of(document))
    if not has_image and not any("requirements.lock" in command for _, command in commands):
        allowed = "a command that installs from requirements.lock, so that every machine has the same packages as this one"
        yield doubtful("setup_commands", "no lock", allowed)


def commands_of(document: Mapping[str, Any], keys: tuple[str, ...] = COMMANDS) -> Iterator[tuple[str, str]]:
    """Yields the commands of a launcher file, with their paths."""
    for key in keys:
        yield from ((path, str(command)) for path, command in leaves(document.get(key) or [], key))
    for name, kind in (document.get("available_node_types") or {}).items():
        for key in keys:
            own = kind.get(key) or []
            yield from ((path, str(command)) for path, command in leaves(own, f"available_node_types.{name}.{key}"))


def _ray_of_command(path: str, command: str) -> Iterator[Finding]:
    wanted = f"Ray {installed_ray()}, the version that this project is pinned to"
    if found := _NIGHTLY_WHEEL.search(command):
        yield wrong(path, found.group(0), f"{wanted}: a nightly wheel is another one every day")
        return
    if _LOOSE_RAY.search(command):
        yield wrong(path, "ray without a version", f"ray=={installed_ray()}: head and workers must have the same")
    versions = {*_PINNED_RAY.findall(command), *(wheel[0] for wheel in _WHEEL.findall(command))}
    for got in sorted(versions - {installed_ray()}):
        yield wrong(path, f"ray {got}", wanted)


def python_findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields Pythons that this project does not run on, or that differ from place to place: Ray's processes then refuse each other."""
    mentions = [*_pythons_of_commands(document), *_pythons_of_images(images_of(document))]
    yield from differing_pythons(mentions)


def differing_pythons(mentions: list[tuple[str, str]]) -> Iterator[Finding]:
    """Yields what is wrong with the minor versions of Python that stand at some paths."""
    allowed = SpecifierSet(metadata("g3dr-orchestrator")["Requires-Python"])
    for path, minor in mentions:
        if not allowed.contains(minor):
            yield wrong(path, f"Python {minor}", f"Python {allowed}, which this project runs on")
        elif minor != mentions[0][1]:
            yield wrong(
                path, f"Python {minor}", f"Python {mentions[0][1]}, which {mentions[0][0]} asks for: head and workers must have the same"
            )


def python_of_image(text: object) -> str | None:
    """Returns the minor version of Python in one of Ray's images, if its tag says it."""
    image = Image.parse(str(text))
    found = _TAG_PYTHON.search(image.tag) if image.is_of_ray else None
    return None if found is None else f"{found.group(1)}.{found.group(2)}"


def _pythons_of_commands(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, command in commands_of(document):
        minors = [*_PYTHON.findall(command), *(f"{wheel[1]}.{wheel[2]}" for wheel in _WHEEL.findall(command))]
        yield from ((path, minor) for minor in dict.fromkeys(minors))


def _pythons_of_images(images: Iterator[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    for path, image in images:
        minor = python_of_image(image)
        if minor is not None:
            yield path, minor
