"""Recognisable secrets go in, and come out nowhere: not in output, tracebacks or debug logs, not in any file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from s3 import free_port
from tiny_study import write_study

pytestmark = pytest.mark.data

KEY, SECRET, TOKEN, PASSWORD = "AKIARECOGNISABLE", "recognisable-secret-key", "recognisable-session-token", "recognisable-password"
COMMANDS = """
import json, os, sys
from orchestrator.cli.main import main

for change, words in json.loads(sys.argv[1]):
    os.environ.update(change)
    sys.argv = ["g3dr", "--debug", *words]
    try:
        main()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    print("-- done:", words[0], flush=True)
"""


@pytest.fixture
def said(s3, s3_uri, tmp_path):
    """What a few commands say with --debug, in one process: a pack, a plan, and several that fail."""
    photos, study = tmp_path / "photos", write_study(tmp_path)
    endpoint = {"AWS_ENDPOINT_URL": s3.endpoint}
    plan = ["plan", str(study), "--json", "--root"]
    commands = [
        (endpoint, ["data", "procedural", str(photos), "--species", "0,1", "--individuals", "2", "--resolution", "8", "--held-out", "0"]),
        (endpoint, ["data", "pack", str(photos), f"{s3_uri}/set"]),
        (endpoint, ["data", "verify", f"{s3_uri}/set"]),
        (endpoint, [*plan, f"{s3_uri}/root"]),
        (endpoint, [*plan, "s3://nobody-made-this/x"]),
        (endpoint, [*plan, f"s3://{KEY}:{SECRET}@bucket/x"]),
        (endpoint, [*plan, f"s3://bucket/x?secret_key={SECRET}"]),
        (endpoint, ["weights", "import", f"s3://{KEY}:{SECRET}@bucket/x.pt", str(tmp_path / "imported")]),
        ({"AWS_ENDPOINT_URL": f"http://user:{PASSWORD}@127.0.0.1:{free_port()}"}, [*plan, "s3://bucket/x"]),
        ({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_MAX_ATTEMPTS": "2"}, [*plan, "s3://bucket/x"]),
    ]
    secrets = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **secrets, "PYTHONPATH": str(Path(__file__).parent.parent)}
    script = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path, timeout=300)
    assert done.stdout.count("-- done:") == len(commands), done.stderr
    return done.stdout + done.stderr


def written(s3, folder):
    client = s3.client()
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=s3.bucket).get("Contents", [])]
    remote = {key: client.get_object(Bucket=s3.bucket, Key=key)["Body"].read() for key in keys}
    return {**remote, **{str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}}


def test_secrets_come_out_nowhere(said, s3, tmp_path):
    assert "DEBUG" in said, "--debug logs"
    assert "Traceback" in said
    assert "the bucket nobody-made-this does not exist" in said
    assert "a URI holds no credentials" in said
    assert "no answer from the object store" in said
    files = written(s3, tmp_path)
    assert any(name.endswith("set/manifest.json") for name in files)
    for secret in (KEY, SECRET, TOKEN, PASSWORD):
        assert secret not in said, next(line for line in said.splitlines() if secret in line)
        assert [name for name, data in files.items() if secret.encode() in data] == []


@pytest.mark.ray
def test_a_ledger_written_by_a_cluster_holds_no_secrets(tiny_ledger, object_store_server):
    """The cluster's workers have them in their environment."""
    secret = object_store_server.environment["AWS_SECRET_ACCESS_KEY"].encode()
    names = tiny_ledger.store.list()
    assert names
    assert [name for name in names if secret in tiny_ledger.store.read_bytes(name)] == []
