"""The parts of the chaos harness itself: the same faults for the same seed, outages that are outages, comparisons that see a difference."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter

import pytest
from chaos.counting import Counts
from chaos.injector import DISTRIBUTED, INLINE, OUTAGES, Injector, Phase
from chaos.outages import Gate
from chaos.outcome import damaged, differences, held_leases, read_outcome
from chaos.study import Study

from orchestrator.experiment.loading import load_experiment
from orchestrator.store import open_store

pytestmark = pytest.mark.unit
PHASES = (Phase("pair", 100, DISTRIBUTED), Phase("search", 300, INLINE))


def test_a_seed_means_the_same_faults():
    one, same, other = (Injector(seed, PHASES).schedule(30) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_faults_come_in_order_and_spread_over_the_experiment():
    made = Injector(3, PHASES).schedule(40)
    assert [injection.at for injection in made] == sorted(injection.at for injection in made)
    assert all(0 < injection.at < 400 for injection in made)
    assert all((injection.phase == "pair") == (injection.at < 100) for injection in made)
    assert all(injection.fault in (DISTRIBUTED if injection.phase == "pair" else INLINE) for injection in made)
    assert 0 < sum(injection.pause > 0 for injection in made) < 20


def test_no_fault_and_no_outage_is_left_out():
    made = Injector(4, PHASES).schedule(60)
    kinds = Counter(injection.fault for injection in made if injection.phase == "search")
    assert max(kinds.values()) - min(kinds[fault] for fault in INLINE) <= 1
    assert {(injection.seconds, injection.absence) for injection in made if injection.fault == "store"} == set(OUTAGES)


@pytest.fixture
def echo():
    """A server that sends everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _echo(server):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_send_back, args=(connection,), daemon=True).start()


def _send_back(connection):
    with connection, contextlib.suppress(ConnectionError):
        while data := connection.recv(100):
            connection.sendall(data)


@pytest.fixture
def gate(echo):
    with Gate(echo).running() as gate:
        yield gate


def _client(gate):
    return socket.create_connection(("127.0.0.1", int(gate.endpoint.rpartition(":")[2])), timeout=0.2)


def _answers(connection):
    connection.sendall(b"hello")
    return connection.recv(5) == b"hello"


def _is_reset(connection):
    try:
        return connection.recv(5) == b""
    except ConnectionError:
        return True


def test_a_gate_lets_through(gate):
    with _client(gate) as connection:
        assert _answers(connection)


def test_an_outage_of_no_length_resets_the_connections_that_exist(gate):
    with _client(gate) as connection:
        assert _answers(connection)
        gate.away(0, "refused")
        assert _is_reset(connection)
    with _client(gate) as connection:
        assert _answers(connection)


def test_during_a_refusing_outage_nobody_listens(gate):
    away = threading.Thread(target=gate.away, args=(0.5, "refused"))
    away.start()
    time.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        _client(gate)
    away.join()
    with _client(gate) as connection:
        assert _answers(connection)


def test_during_a_silent_outage_nothing_comes_back_ever(gate):
    with _client(gate) as before:
        assert _answers(before)
        away = threading.Thread(target=gate.away, args=(0.5, "silent"))
        away.start()
        with pytest.raises(TimeoutError):
            _answers(before)
        away.join()
        assert _is_reset(before)
    with _client(gate) as connection:
        assert _answers(connection)


FILES = {
    "runs/a/status.json": {"state": "finished", "step": 4, "seconds": 1.5},
    "runs/a/metrics/00000004.jsonl": {"step": 4, "loss": 0.5, "seconds_per_step": 0.1},
    "runs/a/checkpoints/00000004/checkpoint.json": {"step": 4, "sha256": {"model.safetensors": "0" * 64}},
    "runs/a/evaluations/e.json": {"metrics": {"psnr": 20.0}, "seconds": 3},
    "experiments/x/stages/s.json": {"best": "a", "seconds": 9},
}


def _ledger(folder, **changed):
    store = open_store(str(folder))
    for path, record in FILES.items():
        store.write_bytes(path, json.dumps({**record, **changed.get(path.split("/")[2].split(".")[0], {})}).encode())
    return store


def test_ledgers_that_differ_in_times_only_are_equal(tmp_path):
    one = read_outcome(_ledger(tmp_path / "one"))
    two = read_outcome(_ledger(tmp_path / "two", status={"seconds": 7}, metrics={"seconds_per_step": 9}, stages={"seconds": 1}))
    assert differences(one, two) == []


@pytest.mark.parametrize(
    ("part", "change", "name"),
    [
        ("status", {"step": 3}, "states"),
        ("metrics", {"loss": 0.5000001}, "metrics"),
        ("checkpoints", {"sha256": {"model.safetensors": "1" * 64}}, "checkpoints"),
        ("evaluations", {"metrics": {"psnr": 20.1}}, "evaluations"),
        ("stages", {"best": "b"}, "stages"),
    ],
)
def test_any_other_difference_is_seen(tmp_path, part, change, name):
    found = differences(read_outcome(_ledger(tmp_path / "one")), read_outcome(_ledger(tmp_path / "two", **{part: change})))
    assert len(found) == 1
    assert found[0].startswith(f"{name}: ")


def test_a_missing_file_is_seen(tmp_path):
    one, two = _ledger(tmp_path / "one"), _ledger(tmp_path / "two")
    two.delete("runs/a/evaluations")
    assert differences(read_outcome(one), read_outcome(two)) == ["evaluations: a/evaluations/e.json only in the first"]


def test_damage_and_leases_are_found(tmp_path):
    store = _ledger(tmp_path)
    store.write_bytes("runs/a/checkpoints/00000004/model.safetensors", b"something else")
    store.write_bytes("runs/a/lease/00000001.json", b'{"released": false}')
    assert damaged(store) == ["runs/a/checkpoints/00000004/model.safetensors"]
    assert held_leases(store) == ["runs/a/lease/00000001.json"]
    store.write_bytes("runs/a/lease/00000002.json", b'{"released": true}')
    assert held_leases(store) == []


def test_steps_are_counted_once_and_repetitions_apart(tmp_path):
    def note(event, step=0, rank=0, root="r", **more):
        line = {"event": event, "root": root, "run": "a", "rank": rank, "step": step, "seconds": 0.5, "first": step == 1, **more}
        with (tmp_path / f"{rank}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    counts = Counts(tmp_path, "r")
    for step in (1, 2, 3):
        note("step", step)
    note("step", 9, root="another")
    note("step", 1, rank=1)
    assert (counts.update().progress, counts.repeated) == (3, 0)
    note("step", 3)
    note("step", 4)
    note("checkpoint", seconds=0.1)
    assert (counts.update().progress, counts.repeated, counts.repeated_share) == (4, 1, 0.25)
    assert counts.checkpoint_share == pytest.approx(0.1 / (4 * 0.5 + 0.1))


@pytest.mark.parametrize("study", [Study(), Study(train=0), Study(sweep=0, grid=0)])
def test_the_study_is_an_experiment(tmp_path, study):
    experiment = load_experiment(study.write(tmp_path), (), str(tmp_path))
    assert [stage.name for stage in experiment.stages] == [phase.name for phase in study.phases]
