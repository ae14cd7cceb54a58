"""What an object store refuses: not tried again in vain, and said in one sentence that tells what to do."""

import logging
from pathlib import Path

import pytest
from fault_proxy import Answer, FaultPlan, FaultProxy

from orchestrator.store import StoreError, open_parent, open_store, without_credentials

pytestmark = pytest.mark.data

REGION = "<Region>eu-west-1</Region>"
REFUSALS = {
    "no permission": (Answer(403, "AccessDenied"), "no permission for GetObject (AccessDenied); they need s3:GetObject"),
    "expired": (Answer(400, "ExpiredToken"), "have expired (ExpiredToken); sign in again or renew AWS_SESSION_TOKEN"),
    "unknown key": (Answer(403, "InvalidAccessKeyId"), "(InvalidAccessKeyId): nobody here has this AWS_ACCESS_KEY_ID"),
    "wrong secret": (Answer(403, "SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"),
    "wrong clock": (Answer(403, "RequestTimeTooSkewed"), "clock is more than 15 minutes off (RequestTimeTooSkewed); set it"),
    "no bucket": (Answer(404, "NoSuchBucket"), "the bucket g3dr-tests does not exist at http://127.0.0.1"),
    "full": (Answer(507, "XMinioStorageFull"), "the object store is full (XMinioStorageFull); make room"),
    "elsewhere": (Answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}), "set AWS_REGION=eu-west-1"),
    "signed for elsewhere": (Answer(400, "AuthorizationHeaderMalformed", more=REGION), "the bucket g3dr-tests is in the region eu-west-1"),
    "anything else": (Answer(418, "Teapot"), "the object store refused GetObject (Teapot)"),
}


@pytest.fixture
def store(faults, s3_uri):
    made = open_store(s3_uri)
    made.write_bytes("a", b"content")
    faults.requests.clear()
    return made


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_sentence(faults, store, name):
    answer, says = REFUSALS[name]
    faults.next = [answer] * 3
    with pytest.raises(StoreError) as caught:
        store.read_bytes("a")
    said = str(caught.value)
    assert said.startswith(f"{store.uri}/a: ")
    assert says in said
    assert "\n" not in said
    # A new region is worth one more try, and so are credentials that somebody may have renewed.
    assert len(faults.requests) == (2 if name in ("elsewhere", "signed for elsewhere", "expired") else 1)


def test_a_bucket_in_another_region_is_found(faults, store):
    for answer in (REFUSALS["elsewhere"][0], REFUSALS["signed for elsewhere"][0]):
        faults.next = [answer]
        assert store.read_bytes("a") == b"content"


def test_renewed_credentials_are_taken_up(faults, store, monkeypatch, tmp_path):
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id=old\naws_secret_access_key=old-secret\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert store.exists("a")
    file.write_text("[default]\naws_access_key_id=new\naws_secret_access_key=new-secret\n")
    faults.next = [Answer(400, "ExpiredToken")]
    assert store.read_bytes("a") == b"content"
    assert faults.signers[-2:] == ["old", "new"]


def test_an_overloaded_store_is_given_up_at_last(faults, store, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    faults.plan = FaultPlan(rate=1.0, kinds=("slow_down",), consecutive=100)
    with pytest.raises(StoreError, match=r"refused GetObject 3 times \(SlowDown\); wait, then run the same command again"):
        store.read_bytes("a")
    assert len(faults.requests) == 3


def test_who_answered_once_is_waited_for(store, s3, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("G3DR_STORE_BACKOFF_SECONDS", "0.001")
    with FaultProxy(s3.endpoint).running() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        assert store.read_bytes("a") == b"content"
        proxy.stop()
        with pytest.raises(StoreError, match=r"no answer from the object store at http://127\.0\.0\.1:\d+ in 7 attempts"):
            store.read_bytes("a")


def test_a_silent_store_is_given_up_at_last(faults, store, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setenv("G3DR_STORE_READ_SECONDS", "0.2")
    faults.plan = FaultPlan(rate=1.0, kinds=("silent",), consecutive=100)
    with pytest.raises(StoreError, match=r"in 2 attempts \(ReadTimeoutError\)"):
        store.read_bytes("a")


def test_what_was_survived_is_told_once(faults, store, caplog):
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        faults.next = ["slow_down", "reset"]
        store.read_bytes("a")
    expected = f"{store.uri}/a: the object store answered at attempt 3 (before: SlowDown, ConnectionClosed)"
    assert [record.getMessage() for record in caplog.records] == [expected]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AWS_ENDPOINT_URL", "localhost:9000", "AWS_ENDPOINT_URL is https://host"),
        ("AWS_ENDPOINT_URL", "http://user:hidden@127.0.0.1:1", "without a user or a password"),
        ("AWS_PROFILE", "nobody", "AWS_PROFILE names a profile that is neither in"),
        ("AWS_MAX_ATTEMPTS", "many", "AWS_MAX_ATTEMPTS: got 'many', allowed: a number above 0"),
        ("G3DR_STORE_READ_SECONDS", "-1", "G3DR_STORE_READ_SECONDS: got '-1'"),
    ],
)
def test_an_environment_that_makes_no_sense(s3, monkeypatch, variable, value, says):
    monkeypatch.setenv(variable, value)
    with pytest.raises(StoreError) as caught:
        open_store(s3.uri).check()
    assert says in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_public_bucket_needs_no_credentials(faults, store, s3, monkeypatch):
    s3.client().put_object_acl(Bucket=s3.bucket, Key=store.uri.removeprefix(f"{s3.uri}/") + "/a", ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(StoreError, match=r"no credentials for the object store; set .* AWS_NO_SIGN_REQUEST=true"):
        store.read_bytes("a")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "true")
    assert store.read_bytes("a") == b"content"
    assert faults.signers[-1] == ""


def test_a_uri_says_where_the_environment_does_not(s3, s3_uri, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    host = s3.endpoint.removeprefix("http://")
    options = f"?endpoint_override={host}&region=us-east-1&scheme=http"
    store = open_store(s3_uri + options)
    store.write_bytes("a/b", b"content")
    assert store.uri == s3_uri + options
    assert store.child("a").uri == f"{s3_uri}/a{options}"
    assert open_store(store.child("a").uri).read_bytes("b") == b"content"
    folder, name = open_parent(f"{s3_uri}/a/b{options}")
    assert folder.read_bytes(name) == b"content"


def test_pyarrow_understands_the_same_uri(s3, s3_uri, monkeypatch):
    from pyarrow import fs

    monkeypatch.delenv("AWS_ENDPOINT_URL")
    store = open_store(f"{s3_uri}?endpoint_override={s3.endpoint.removeprefix('http://')}&scheme=http")
    store.write_bytes("a", b"content")
    system, path = fs.FileSystem.from_uri(store.child("a").uri)
    with system.open_input_file(path) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_region_comes_from_either_variable(faults, s3_uri, monkeypatch, name):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(name, faults.endpoint)
    for variable in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.setenv(variable, f"eu-{variable.lower()[4:7]}-1")
        open_store(s3_uri).exists("a")
    assert faults.regions == ["eu-def-1", "eu-reg-1"]


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://AKIAKEY:hidden@bucket/x", "a URI holds no credentials"),
        ("s3://hidden@bucket/x", "a URI holds no credentials"),
        ("s3://bucket/x?secret_key=hidden", "allowed: endpoint_override, region, scheme"),
        ("s3://bucket/x?hidden=1", "allowed: endpoint_override, region, scheme"),
        ("s3://bucket/x?endpoint_override=user:hidden@host", "endpoint_override is host:port, without a user"),
        ("gs://user:hidden@bucket/x", "gs://bucket/x: a store is a folder path or s3://bucket/prefix"),
        ("s3:///x", "a bucket is missing"),
        ("s3://a b/x", "a bucket's name has 3 to 255 letters"),
    ],
)
def test_refused_uris_keep_their_secrets(uri, says):
    with pytest.raises(StoreError) as caught:
        open_store(uri)
    assert says in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_uri_can_be_shown():
    assert without_credentials("https://user:hidden@host:1/a@b") == "https://host:1/a@b"
    assert without_credentials("s3://bucket/a@b") == "s3://bucket/a@b"
    assert without_credentials("folder/a@b") == "folder/a@b"


@pytest.fixture
def least_key(s3):
    """A user with the permissions that the manual names, and no others."""
    import boto3

    text = (Path(__file__).parent.parent / "docs" / "storage.md").read_text()
    policy = text.partition("```json\n")[2].partition("```")[0].replace("BUCKET", s3.bucket)
    iam = boto3.client("iam", endpoint_url=s3.endpoint, region_name="us-east-1")
    iam.create_user(UserName="least")
    iam.put_user_policy(UserName="least", PolicyName="least", PolicyDocument=policy)
    return iam.create_access_key(UserName="least")["AccessKey"]


def test_the_least_permissions_of_the_manual_are_enough(least_key, s3_enforced, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", least_key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", least_key["SecretAccessKey"])
    store = open_store(f"{s3_enforced.uri}/results")
    store.check()
    store.write_bytes("a/b", b"content")
    assert store.write_if_absent("lease", b"")
    assert not store.write_if_absent("lease", b"")
    assert store.read_bytes("a/b") == b"content"
    assert store.list("a") == ["a/b"]
    store.delete("")
    for action in (lambda other: other.write_bytes("a", b""), lambda other: other.read_bytes("a")):
        with pytest.raises(StoreError, match="no permission for"):
            action(open_store(f"{s3_enforced.uri}/others"))
