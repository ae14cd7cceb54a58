"""Submitting without a cluster: addresses, tokens, sealed values, one job for one experiment, following, and what is refused."""

import json
import os
import subprocess
import sys

import pytest
from cli_fixture import g3dr
from tiny_study import TEXT

from orchestrator.cluster.submitting import arriving
from orchestrator.cluster.submitting.address import AddressError, check_closed, check_trust, read_address
from orchestrator.cluster.submitting.arriving import prepare
from orchestrator.cluster.submitting.sealing import MOST_BYTES, VARIABLE, SealError, seal, unseal
from orchestrator.cluster.submitting.tokens import TokenError, read_token
from orchestrator.lineage import STATE_VARIABLE, git_state

URL = "http://127.0.0.1:8265"
VALUES = {"AWS_SECRET_ACCESS_KEY": "not-to-be-seen", "WORD": "ü = 1"}

# addresses


@pytest.mark.parametrize(
    ("given", "environment", "url"),
    [
        ("https://ray.lab", {}, "https://ray.lab"),
        ("http://ray.lab:8265/cluster/", {"RAY_ADDRESS": "http://other:1"}, "http://ray.lab:8265/cluster"),
        (None, {"RAY_API_SERVER_ADDRESS": URL, "RAY_ADDRESS": "10.0.0.1:6379"}, URL),
        (None, {"RAY_ADDRESS": "http://[::1]:8265"}, "http://[::1]:8265"),
    ],
)
def test_the_address_is_looked_for_where_ray_looks_and_what_is_given_wins(given, environment, url):
    assert read_address(given, environment).url == url


@pytest.mark.parametrize(
    ("given", "environment", "words"),
    [
        (None, {}, "which cluster"),
        ("127.0.0.1:8265", {}, "--address is '127.0.0.1:8265'; jobs go to the URL of the cluster's dashboard"),
        (None, {"RAY_ADDRESS": "auto"}, "RAY_ADDRESS is 'auto'"),
        ("ray://head:10001", {}, "such as http"),
        ("http://head:port", {}, "not an address"),
        ("http://", {}, "such as http"),
    ],
)
def test_another_address_is_refused(given, environment, words):
    with pytest.raises(AddressError, match=words):
        read_address(given, environment)


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(AddressError, match="holds a user or a password") as caught:
        read_address("http://me:hidden@head:8265", {})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("127.8.0.1", True), ("localhost", True), ("[::1]", True), ("10.0.0.1", False)]
)
def test_only_loopback_is_this_machine(host, local):
    assert read_address(f"http://{host}:8265", {}).is_local is local


def test_another_machine_without_a_token_is_refused_and_a_token_in_clear_is_warned_of():
    remote, secure = read_address("http://head:8265", {}), read_address("https://head", {})
    with pytest.raises(AddressError, match="head is another machine, and there is no token"):
        check_trust(remote, None, insecure=False)
    assert check_trust(remote, None, insecure=True) == ""
    assert "in clear" in check_trust(remote, "t", insecure=False)
    assert check_trust(secure, "t", insecure=False) == check_trust(read_address(URL, {}), None, insecure=False) == ""


@pytest.mark.parametrize("address", [URL, "http://head:8265"])
def test_a_cluster_that_lets_everybody_in_is_told_of_and_gets_no_values(address):
    where = read_address(address, {})
    assert check_closed(where, demands_token=True, seals=True, insecure=False) == ""
    with pytest.raises(AddressError, match="nothing to be sealed with"):
        check_closed(where, demands_token=False, seals=True, insecure=True)
    assert "is open" in check_closed(where, demands_token=False, seals=False, insecure=True)
    if not where.is_local:
        with pytest.raises(AddressError, match="CVE-2023-48022"):
            check_closed(where, demands_token=False, seals=False, insecure=False)


# tokens


def test_a_token_is_found_where_ray_finds_it(tmp_path):
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("default\n")
    (tmp_path / "named").write_text(" named \n")
    home = {"HOME": str(tmp_path)}
    assert read_token(home) == "default"
    assert read_token({**home, "RAY_AUTH_TOKEN_PATH": str(tmp_path / "named")}) == "named"
    assert read_token({**home, "RAY_AUTH_TOKEN": "own", "RAY_AUTH_TOKEN_PATH": "nowhere"}) == "own"
    assert read_token({**home, "RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "own"}) is None
    assert read_token({"HOME": str(tmp_path / "x")}) is None
    with pytest.raises(TokenError, match="cannot be read"):
        read_token({**home, "RAY_AUTH_TOKEN_PATH": "nowhere"})


# sealed values


def test_sealed_values_open_with_the_token_only():
    sealed = seal(VALUES, "token")
    assert unseal(sealed, "token") == VALUES
    assert all(value not in sealed for value in VALUES.values())
    assert seal(VALUES, "token") != sealed, "the same values look different each time"
    for wrong in (sealed[:-4] + "AAA=", sealed.replace(".", "", 1), "x", sealed):
        with pytest.raises(SealError, match="another token"):
            unseal(wrong, "other" if wrong is sealed else "token")


def test_values_that_linux_would_not_pass_on_are_refused():
    with pytest.raises(SealError, match="too long"):
        seal({"X": "x" * MOST_BYTES}, "token")


def test_every_process_of_a_job_opens_them_first(monkeypatch):
    monkeypatch.setattr(os, "environ", {VARIABLE: seal(VALUES, "token"), "RAY_AUTH_TOKEN": "token"})
    prepare()
    assert VALUES.items() <= os.environ.items()
    assert os.environ[arriving.PYTHON] == sys.executable
    monkeypatch.setattr(os, "environ", {VARIABLE: seal(VALUES, "token")})
    with pytest.raises(SealError, match="no token of the cluster"):
        prepare()


def test_the_hook_is_what_ray_finds_by_its_name_and_brings_nothing_heavy():
    heavy = ("ray", "torch", "boto3", "pyarrow", "pandas", "matplotlib", "cryptography")
    code = f"""import sys, importlib; module, _, name = {arriving.HOOK!r}.rpartition('.')
getattr(importlib.import_module(module), name)(); print([name for name in {heavy} if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_state_of_the_repository_travels_since_the_copy_has_none(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert git_state() == {}
    monkeypatch.setenv(STATE_VARIABLE, json.dumps({"commit": "abc", "dirty": True}))
    assert git_state() == {"commit": "abc", "dirty": True}
    assert git_state(tmp_path) == {}


# the verb, before it asks a cluster


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def refused(capsys, *words):
    """What `g3dr submit` says when it refuses; nothing has left this machine then."""
    from orchestrator.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["g3dr", "submit", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return " ".join(said.err.split())


def test_a_dry_run_shows_what_would_travel_and_asks_nobody(study, monkeypatch):
    (study / ".env").write_text("KEY=1")
    (study / "photo.png").write_text("")
    monkeypatch.setenv("MY_WORD", "not-to-be-seen-anywhere")
    said = g3dr("submit", "tiny.yaml", "--root", study / "out", "--env", "MY_WORD", "--dry-run")
    assert "tiny.yaml package: 1 file, " in said
    assert "stays here: 1 may hold secrets: .env" in said
    assert "stays here: 1 pictures, archives, models, logs and other data: photo.png" in said
    assert "environment: MY_WORD, sealed" in said
    assert f"every machine of the cluster must see {study / 'out'}" in said
    assert "not-to-be-seen" not in said


METRIC = "stages.loss_sweep.search={algorithm: grid, metric: canonical_psnr, mode: max}"  # photographs have no true novel views
ROOT = ("--root", "s3://bucket/r", "--dry-run")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tiny.yaml", "--dry-run"), "root results is relative, and would vanish with the job's copy"),
        (("tiny.yaml", *ROOT, "--set", "training.steps=0.5", "--set", "stages=[]"), "2 problems"),
        (
            ("tiny.yaml", *ROOT, "--set", "data.animals={folder: {path: photos}}", "--set", METRIC),
            "g3dr data pack photos s3://bucket/animals",
        ),
        (("tiny.yaml", *ROOT, "--set", "data.animals={dataset: sets/a}"), "data.animals names sets/a, which is not on the cluster"),
        (("tiny.yaml", *ROOT, "--set", "stages.pretrain.from=./models"), "stages.pretrain.from names ./models, a folder of this machine"),
        (("tiny.yaml", *ROOT, "--env", "NOT_SET_ANYWHERE"), "--env NOT_SET_ANYWHERE: not set here"),
        (("tiny.yaml", *ROOT, "--env", "A=hidden"), "--env A=...: only the name is given"),
        (("tiny.yaml", *ROOT, "--env", "a b"), "not a variable's name"),
        (("tiny.yaml", *ROOT, "--env", "RAY_AUTH_TOKEN"), "the cluster has its own"),
        (("tiny.yaml", *ROOT, "--prices", "/etc/hostname"), "/etc/hostname does not lie in"),
        (("secrets.yaml", *ROOT), "secrets.yaml does not travel (secret)"),
        (("sub/child.yaml", *ROOT, "--working-dir", "sub"), "child.yaml cannot be read from the package"),
        (("old/tiny.yaml", *ROOT, "--working-dir", "old"), "holds another version of this project, without orchestrator/cluster/"),
        (("-", *ROOT), "standard input does not travel"),
        (("leak.yaml", *ROOT), "leak.yaml holds the value of SOME_TOKEN"),
        (("tiny.yaml", "--root", "s3://bucket/r"), "which cluster? Name its dashboard"),
        (("tiny.yaml", "--root", "s3://bucket/r", "--address", "http://head:8265"), "head is another machine, and there is no token"),
        (("tiny.yaml", "--root", "s3://bucket/r", "--address", "http://127.0.0.1:9"), "nobody answers at http://127.0.0.1:9"),
    ],
)
def test_what_cannot_be_submitted_is_refused_with_a_sentence(study, capsys, monkeypatch, words, sentence):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("SOME_TOKEN", "a-token-of-some-sort")
    (study / "models").mkdir()
    (study / "sub").mkdir()
    (study / "sub/child.yaml").write_text("extends: ../tiny.yaml\n")
    (study / "secrets.yaml").write_text(TEXT)
    (study / "old/orchestrator").mkdir(parents=True)
    (study / "old/orchestrator/__init__.py").write_text("")
    (study / "old/tiny.yaml").write_text(TEXT)
    if words[0] == "leak.yaml":
        (study / "leak.yaml").write_text(f"{TEXT}\n# a-token-of-some-sort\n")
    said = refused(capsys, *words)
    assert sentence in said
    assert "hidden" not in said
    assert "a-token-of-some-sort" not in said
