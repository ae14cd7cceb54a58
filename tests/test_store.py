"""Stores: a folder, and S3 over HTTP."""

import multiprocessing
import pickle
import time

import pytest

from orchestrator.store import FolderStore, StoreError, open_store

pytestmark = pytest.mark.data


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    return open_store(str(tmp_path / "root")) if request.param == "folder" else open_store(request.getfixturevalue("s3_uri"))


def test_reads_back_what_was_written(store):
    store.write_bytes("a/b.bin", b"one")
    store.write_bytes("a/b.bin", b"two")
    assert store.read_bytes("a/b.bin") == b"two"
    assert store.exists("a/b.bin")
    assert not store.exists("a")
    with pytest.raises(FileNotFoundError):
        store.read_bytes("a/c.bin")


def test_first_of_two_conditional_writers_wins(store):
    assert store.write_if_absent("x.json", b"first")
    assert not store.write_if_absent("x.json", b"second")
    assert store.read_bytes("x.json") == b"first"


def test_lists_files_below_a_folder_only(store):
    for name in ("runs/ab/1", "runs/abc/2", "runs/ab/deep/er/3", "top"):
        store.write_bytes(name, b"")
    assert store.list("runs/ab") == ["runs/ab/1", "runs/ab/deep/er/3"]
    assert store.list("") == ["runs/ab/1", "runs/ab/deep/er/3", "runs/abc/2", "top"]
    assert store.list("runs/abc/2") == ["runs/abc/2"]
    assert store.list("nothing") == []
    assert store.child("runs").list("ab") == ["ab/1", "ab/deep/er/3"]


def test_deleting_below_a_file_deletes_nothing(store):
    store.write_bytes("a", b"1")
    store.delete("a/b")
    assert store.list() == ["a"]


def test_deletes_a_folder_and_not_its_neighbours(store):
    for name in ("runs/ab/1", "runs/abc/2"):
        store.write_bytes(name, b"")
    store.delete("runs/ab")
    store.delete("runs/none")
    assert store.list() == ["runs/abc/2"]


def test_pickles_by_uri(store):
    store.write_bytes("a", b"1")
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert again.read_bytes("a") == b"1"
    assert again.child("b/c").uri == f"{store.uri}/b/c"


def test_reads_parts_of_a_file(store):
    store.write_bytes("a/b.bin", b"arrow")
    with store.open_file("a/b.bin") as file:
        assert file.read() == b"arrow"
    with store.open_file("a/b.bin") as file:
        file.seek(2)
        assert (file.read(2), file.tell(), file.read(), file.read(1)) == (b"ro", 4, b"w", b"")
    with pytest.raises(FileNotFoundError):
        store.open_file("a/none.bin")


def test_large_files_go_up_in_parts(store, monkeypatch):
    monkeypatch.setattr("orchestrator.store.s3._MULTIPART_BYTES", 2**20)
    data = bytes(range(256)) * 4 * 10240
    store.write_bytes("large", data)
    assert store.read_bytes("large") == data


def test_a_path_cannot_leave_the_store(store):
    with pytest.raises(StoreError, match=r"\.\."):
        store.write_bytes("../outside", b"")


def test_check_accepts_a_usable_store(store):
    store.check()
    assert store.list() == []


@pytest.mark.parametrize(("uri", "says"), [("gs://bucket/x", "s3://bucket/prefix"), ("s3://", "bucket is missing")])
def test_refuses_other_uris(uri, says):
    with pytest.raises(StoreError, match=says):
        open_store(uri)


def test_folder_disappears_with_its_last_file(tmp_path):
    store = FolderStore(tmp_path / "root")
    store.write_bytes("a/b/c", b"")
    store.delete("a/b/c")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    store = FolderStore(tmp_path / "file" / "below")
    with pytest.raises(StoreError, match="is a file, not a folder"):
        store.check()
    with pytest.raises(StoreError, match="a file where a folder is needed"):
        store.write_bytes("a", b"")


def test_no_half_written_file_stays(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    store.write_bytes("a", b"old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(StoreError, match="No space left"):
        store.write_bytes("a", b"new")
    assert store.read_bytes("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _try_to_win(folder, name, results):
    results.put(name if FolderStore(folder).write_if_absent("winner", name.encode()) else "")


def test_one_of_many_processes_wins(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_try_to_win, args=(str(tmp_path), str(number), results)) for number in range(3)]
    for process in processes:
        process.start()
    winners = [name for name in (results.get(timeout=60) for _ in processes) if name]
    for process in processes:
        process.join()
    assert winners == [FolderStore(tmp_path).read_bytes("winner").decode()]


def test_a_missing_bucket(s3):
    store = open_store("s3://nobody-made-this/x")
    for action in (store.check, lambda: store.write_bytes("a", b""), lambda: store.read_bytes("a"), store.list):
        with pytest.raises(StoreError, match="bucket nobody-made-this does not exist"):
            action()


def test_wrong_credentials(s3_enforced, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-nobody-may-see")
    store = open_store(s3_enforced.uri)
    with pytest.raises(StoreError, match="credentials are wrong or expired") as caught:
        store.check()
    assert "a-secret-nobody-may-see" not in str(caught.value)
    with pytest.raises(StoreError, match=r"credentials|permission"):
        store.exists("a")


def test_no_credentials(s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(StoreError, match="no credentials"):
        open_store(s3.uri).check()


def test_a_wrong_endpoint_fails_soon(s3, monkeypatch):
    from s3 import free_port

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(StoreError, match="no answer from the object store") as caught:
        open_store(s3.uri).check()
    assert time.monotonic() - began < 15
    assert "in 4 attempts (EndpointConnectionError); check AWS_ENDPOINT_URL" in str(caught.value)
