"""cluster.yaml is right, and every way to get it wrong has its sentence."""

import copy
import socket
import subprocess
from contextlib import suppress

import numpy as np
import pytest
import yaml
from cluster_files import LAUNCHER, RAYJOB, TOKEN, changed, filled, home  # noqa: F401  (a fixture)
from cluster_mistakes import DOUBTFUL, WRONG

from orchestrator.cluster.checking import check_cluster
from orchestrator.cluster.checking.security import START_KEYS
from orchestrator.cluster.checking.versions import COMMANDS
from orchestrator.experiment.problems import ExperimentError

pytestmark = pytest.mark.unit


@pytest.fixture
def check(home, tmp_path):  # noqa: F811
    """Checks a text; returns the report."""

    def call(text, *experiments, prices=None):
        path = tmp_path / "cluster.yaml"
        path.write_text(text, encoding="utf-8")
        return check_cluster(path, experiments, prices)

    return call


def sentences(findings):
    return [str(finding.problem) for finding in findings]


def test_the_file_of_the_repository_is_right_once_it_is_filled_in(check):
    report = check(filled(LAUNCHER))
    assert sentences(report.findings) == []
    assert [offer.machine.name for offer in report.offers] == ["head", "cpu", "gpu"]
    assert [offer.machine.market for offer in report.offers] == ["on demand", "spot first", "spot first"]


def test_commands_are_words_that_bash_understands():
    document = yaml.safe_load(filled(LAUNCHER))
    commands = [command for key in (*COMMANDS, *START_KEYS) for command in document[key]]
    assert len(commands) == 6
    for command in commands:
        assert "\n" not in command  # which Ray would send as several
        subprocess.run(["bash", "-n", "-c", f"export OMP_NUM_THREADS=1 && ({command})"], check=True)


def test_nothing_is_asked_of_the_network(check, monkeypatch):
    def refuse(*_):
        raise AssertionError("the check is offline")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert not check(filled(LAUNCHER)).errors


def test_what_is_not_filled_in_is_named_once_each(check):
    report = check(LAUNCHER.read_text(encoding="utf-8"))
    assert [finding.problem.path for finding in report.errors] == [
        "metadata.fill_in.region",
        "metadata.fill_in.machine_image",
        "metadata.fill_in.gpu_machine_image",
        "metadata.fill_in.security_group",
    ]
    assert report.warnings == ()
    with pytest.raises(ExperimentError, match=r"4 problems\n.*region: got 'FILL_IN_REGION', allowed: an AWS region such as eu-central-1"):
        report.check()


@pytest.mark.parametrize(("change", "path", "phrase"), WRONG.values(), ids=WRONG)
def test_every_mistake_has_its_sentence(check, change, path, phrase):
    found = sentences(check(changed(filled(LAUNCHER), change)).errors)
    assert any(path in sentence and phrase in sentence for sentence in found), found
    assert not any(TOKEN in sentence or "AKIA" in sentence or "abcdefgh" in sentence for sentence in found)


@pytest.mark.parametrize(("change", "path", "phrase"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_probably_not_meant_is_a_warning(check, change, path, phrase):
    report = check(changed(filled(LAUNCHER), change))
    assert report.errors == ()
    found = sentences(report.warnings)
    assert any(path in sentence and phrase in sentence for sentence in found), found


def test_all_mistakes_come_at_once(check):
    pairs = [
        WRONG[name][0]
        for name in ("unknown key", "misspelt setting of a machine", "type above the cluster", "open dashboard", "nightly wheel")
    ]
    assert len(check(changed(filled(LAUNCHER), *pairs)).errors) >= len(pairs)


def test_a_token_that_others_can_read_is_refused(check, home):  # noqa: F811
    token = home / ".ray" / "auth_token"
    token.chmod(0o644)
    assert "mode 600" in sentences(check(filled(LAUNCHER)).errors)[0]
    token.unlink()
    (missing,) = sentences(check(filled(LAUNCHER)).errors)
    assert missing.startswith("file_mounts.~/.ray/auth_token: got '~/.ray/auth_token', allowed: a file with the token")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("", "the file: got 'NoneType'"),
        ("a: [", "YAML"),
        ("name: x\nstages: []", "a manifest of kind RayJob or RayCluster"),
        ("kind: RayService", "got 'RayService'"),
        ("provider: {type: aws}\nprovider: {type: gcp}", "each key once"),
    ],
)
def test_what_is_no_cluster_file_is_refused(check, text, phrase):
    with pytest.raises(ExperimentError, match=phrase):
        check(text)


def places(value, path=()):
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*path, key))


@pytest.mark.parametrize("file", [LAUNCHER, RAYJOB], ids=lambda path: path.name)
def test_whatever_stands_where_ends_in_sentences(check, file):
    """Sixty seeded changes of anything to anything: findings or a refusal, never an error of Python's."""
    chance, document = np.random.default_rng(7), yaml.safe_load(filled(file))
    everywhere = [path for path in places(document) if path]
    values = [None, "x", 3, -1, 1.5, True, [], {}, [None], {"a": None}, ["x"], "FILL_IN_X", "3"]
    for _ in range(60):
        wrong = copy.deepcopy(document)
        path, node = everywhere[chance.integers(len(everywhere))], wrong
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = values[chance.integers(len(values))]
        with suppress(ExperimentError):  # no cluster file any more
            assert all(finding.problem.path and finding.problem.allowed for finding in check(yaml.safe_dump(wrong)).findings)


OTHERS = {
    "gcp": "provider: {type: gcp, region: us-west1, availability_zone: us-west1-a, project_id: x}",
    "local": "provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2]}\nauth: {ssh_user: me}",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_providers_get_what_holds_for_all_and_are_told_so(check, name):
    report = check(f"cluster_name: x\n{OTHERS[name]}\n")
    assert report.note.startswith(f"{name} files: ")
    found = sentences(report.errors)
    assert any("RAY_AUTH_MODE=token" in sentence for sentence in found)  # Ray's own defaults have none
    assert not any("EC2" in sentence or "AWS" in sentence for sentence in found)
