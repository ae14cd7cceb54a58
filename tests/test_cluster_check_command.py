"""`g3dr cluster check` as people call it: costs, experiments, JSON, exit codes."""

import json

import pytest
from cluster_files import LAUNCHER, RAYJOB, REPOSITORY, changed, filled, home  # noqa: F401  (a fixture)

from orchestrator.cli.main import main

pytestmark = pytest.mark.unit

PRICES = """
currency: EUR
machines:
  m7i.xlarge: {per_hour: 0.2, cpus: 4}
  m7i.4xlarge-spot: {per_hour: 0.3, cpus: 16, spot: true}
  m7i.4xlarge: {per_hour: 0.8, cpus: 16}
  g6.2xlarge: {per_hour: 1.0, cpus: 8, gpus: 1}
  gpu: {per_hour: 0.4, cpus: 8, gpus: 1, spot: true}
"""


@pytest.fixture
def check(home, tmp_path, monkeypatch, capsys):  # noqa: F811
    """Calls the command on a text; returns exit code, output and errors."""

    def call(text, *words, prices=None):
        file = tmp_path / "cluster.yaml"
        file.write_text(text, encoding="utf-8")
        if prices is not None:
            (tmp_path / "prices.yaml").write_text(prices, encoding="utf-8")
            words = (*words, "--prices", str(tmp_path / "prices.yaml"))
        monkeypatch.setattr("sys.argv", ["g3dr", "cluster", "check", str(file), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


def test_an_hour_costs_unknown_without_prices(check):
    code, out, _ = check(filled(LAUNCHER))
    assert code == 0
    assert "an hour costs: unknown, because there are no prices" in out
    assert out.splitlines()[-1].startswith("Next: ray up ")


def test_the_bounds_of_an_hour_are_those_of_the_limits(check):
    code, out, _ = check(filled(LAUNCHER), prices=PRICES)
    # The head, and all workers on demand, as if AWS had no spot machine.
    assert (code, f"{0.2:.2f} EUR while nothing runs, and at most {0.2 + 8 * 1.0 + 4 * 0.8:.2f} EUR with 12 workers" in out) == (0, True)
    assert [line.split("  ")[-1].strip() for line in out.splitlines()[1:4]] == ["0.2", "0.3 to 0.8", "0.4 to 1"]
    _, out, _ = check(changed(filled(LAUNCHER), ("max_workers: 12", "max_workers: 9")), prices=PRICES)
    assert f"at most {0.2 + 8 * 1.0 + 0.8:.2f} EUR with 9 workers" in out


def test_machines_that_are_always_there_are_in_the_lower_bound(check):
    text = changed(filled(LAUNCHER), ("min_workers: 0\n    max_workers: 4", "min_workers: 2\n    max_workers: 4"))
    cost = json.loads(check(text, "--json", prices=PRICES)[1])["cost"]
    assert cost["idle"] == pytest.approx(0.2 + 2 * 0.3)
    assert cost["most"] == pytest.approx(0.2 + 8 * 1.0 + 4 * 0.8)


def test_a_missing_price_is_unknown_and_named(check):
    code, out, _ = check(filled(LAUNCHER), prices=PRICES.replace("m7i.4xlarge-spot", "m7i.4xlarge-reserved"))
    assert (code, "0.20 EUR while nothing runs, and at most unknown" in out, "no price for cpu" in out) == (0, True, True)
    out = check(filled(LAUNCHER), prices=PRICES.replace("g6.2xlarge: {per_hour: 1.0", "g6.4xlarge: {per_hour: 1.0"))[1]
    assert "at most unknown" in out
    assert "no price for gpu on demand (g6.2xlarge)" in out


def test_more_resources_than_the_machine_has_are_refused(check):
    code, _, err = check(filled(LAUNCHER), prices=PRICES.replace("per_hour: 0.3, cpus: 16", "per_hour: 0.3, cpus: 8"))
    assert code == 2
    assert "available_node_types.cpu.resources.CPU: got 16, allowed: at most 8, which m7i.4xlarge-spot has" in err


def test_every_experiment_of_the_repository_fits(check):
    words = [word for path in sorted((REPOSITORY / "experiments").glob("*.yaml")) for word in ("--experiment", str(path))]
    code, out, err = check(filled(LAUNCHER), *words)
    assert (code, err) == (0, "")
    assert "imagenet.yaml, train: 8 workers with 4 CPUs and 1 GPU each, distributed: 1 at a time" in out


def test_an_experiment_that_is_too_large_is_refused(check, tmp_path):
    file = tmp_path / "large.yaml"
    text = (REPOSITORY / "experiments" / "imagenet.yaml").read_text(encoding="utf-8")
    file.write_text(
        changed(text, ("workers: 8, cpus_per_worker: 4, gpus_per_worker: 1", "workers: 32, cpus_per_worker: 4, gpus_per_worker: 1"))
    )
    code, _, err = check(filled(LAUNCHER), "--experiment", str(file))
    assert code == 2
    assert "stage train of" in err
    assert "32 GPUs, but the cluster can grow to 8" in err
    file.write_text(
        changed(text, ("workers: 8, cpus_per_worker: 4, gpus_per_worker: 1", "workers: 1, cpus_per_worker: 4, gpus_per_worker: 4"))
    )
    assert check(filled(LAUNCHER), "--experiment", str(file))[0] == 2  # 8 GPUs in all, but one in each machine


def test_programs_get_everything_and_the_exit_code(check):
    code, out, _ = check(filled(LAUNCHER), "--json", "--experiment", str(REPOSITORY / "experiments" / "quickstart.yaml"), prices=PRICES)
    report = json.loads(out)
    assert (code, report["ok"], report["provider"], report["max_workers"], report["cost"]["currency"]) == (0, True, "aws", 12, "EUR")
    assert report["machines"][2] == {
        "name": "gpu",
        "instance": "g6.2xlarge",
        "market": "spot first",
        "cpus": 8,
        "gpus": 1.0,
        "least": 0,
        "most": 8,
        "is_head": False,
        "per_hour": 0.4,
        "per_hour_otherwise": 1.0,
        "price": "gpu",
    }
    assert {fit["stage"] for fit in report["experiments"]} == {"pretrain", "loss_sweep", "species", "unseen"}
    code, out, err = check(changed(filled(LAUNCHER), ("max_workers: 4\n", "max_workers: 40\n")), "--json")
    report = json.loads(out)
    assert (code, report["ok"], [error["path"] for error in report["errors"]], err) == (
        2,
        False,
        ["available_node_types.cpu.max_workers"],
        "",
    )


def test_mistakes_are_told_on_the_error_stream_without_a_traceback(check):
    code, out, err = check(changed(filled(LAUNCHER), ("m7i.4xlarge\n      ImageId", "m7i.4xlarge\n      ImageIdd")))
    assert (code, "Next" in out, "Traceback" in err) == (2, False, False)
    assert 'did you mean "ImageId"' in err


def test_a_manifest_is_checked_by_the_same_command(check):
    code, out, _ = check(filled(RAYJOB), prices=PRICES)
    assert (code, "Next: kubectl apply -f" in out, "no price for headgroup, cpu" in out) == (0, True, True)
