"""What travels to a cluster and what stays: no secrets, no data, no results, and the same package for the same files."""

import io
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cluster.submitting import packing
from orchestrator.cluster.submitting.leaks import LeakError, check_leaks, secrets_of
from orchestrator.cluster.submitting.packing import PackageError, look, pack, working_folder
from orchestrator.cluster.submitting.staying import DATA_ENDINGS, SECRET_FOLDERS, SECRET_NAMES, is_secret

REPOSITORY = Path(__file__).parent.parent
RUN = "0123456789abcdef"


def write(folder, *paths, text="x = 1\n"):
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def git(folder, *words):
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture(params=["checkout", "plain folder"])
def folder(request, tmp_path):
    if request.param == "checkout":
        git(tmp_path, "init")
    return tmp_path


def names_in(package):
    return set(zipfile.ZipFile(io.BytesIO(package)).namelist())


def travelling(folder):
    contents = look(folder)
    assert names_in(pack(contents)[0]) == set(contents.sizes)
    return set(contents.sizes)


def made_up(pattern, chance):
    """A name that a pattern means, in letters of either case."""
    name = pattern.replace("*", chance.choice(["", "production", "2", "my-own"])) if "*" in pattern else pattern
    return chance.choice([name, name.upper(), name.capitalize()])


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_may_hold_secrets_ever_travels(folder, seed):
    chance = np.random.default_rng(seed)
    places = ["", "a/", "src/deep/er/"]
    secret = {f"{chance.choice(places)}{made_up(pattern, chance)}" for pattern in SECRET_NAMES for _ in range(3)}
    secret |= {f"f/{chance.choice(places)}{name}/{chance.choice(['config', 'main.py', 'x/y.txt'])}" for name in sorted(SECRET_FOLDERS)}
    write(folder, *sorted(secret), "study.yaml", "src/deep/er/code.py")
    if (folder / ".git").exists() and seed:
        git(folder, "add", "--all", "--force")  # even what somebody has put under version control
    assert travelling(folder) == {"study.yaml", "src/deep/er/code.py"}
    assert all(is_secret(path) for path in secret)


@pytest.mark.parametrize(
    "name", ["secrets.py", "tokens.py", "environment.yaml", "keys.py", "docs/credentials.md", "tokenizer.json", "password.py"]
)
def test_code_that_speaks_of_secrets_travels(folder, name):
    write(folder, name)
    assert travelling(folder) == {name}


def test_data_models_archives_and_pictures_stay(folder):
    write(folder, "code.py", *(f"d/file{ending}" for ending in DATA_ENDINGS), "d/UPPER.PNG", "logs/events.out.tfevents.12")
    assert travelling(folder) == {"code.py"}


def test_results_stay_wherever_they_are(folder):
    write(folder, "code.py", "results/x.json", f"out/a/runs/{RUN}/status.json", "out/a/experiments/tiny/experiment.json", "out/note.md")
    assert travelling(folder) == {"code.py", "out/note.md"}


def test_a_ledger_in_the_working_directory_itself_stays_and_the_code_beside_it_travels(folder):
    write(folder, "code.py", f"runs/{RUN}/spec.json", "reports/tiny/index.html", "experiments/study.yaml")
    assert travelling(folder) == {"code.py", "experiments/study.yaml"}


def test_large_files_stay(folder):
    write(folder, "code.py")
    (folder / "log.txt").write_bytes(b"x" * (5 * 2**20 + 1))
    contents = look(folder)
    assert set(contents.sizes) == {"code.py"}
    assert contents.staying == {"large": ("log.txt",)}


def test_what_is_ignored_stays_and_what_is_untracked_travels(folder):
    write(folder, "tracked.py", "untracked.py", "build.py", "private.py", "__pycache__/m.py", ".venv/lib/m.py", "notes/far.py")
    (folder / ".gitignore").write_text("build.py\n")
    (folder / ".rayignore").write_text("private.py\nnotes/\n")
    if (folder / ".git").exists():
        git(folder, "add", "tracked.py")
    assert travelling(folder) == {"tracked.py", "untracked.py", ".gitignore", ".rayignore"}


def test_a_file_that_git_tracks_and_that_is_gone_is_no_mistake(tmp_path):
    git(tmp_path, "init")
    write(tmp_path, "gone.py", "here.py")
    git(tmp_path, "add", ".")
    (tmp_path / "gone.py").unlink()
    assert travelling(tmp_path) == {"here.py"}


def test_links_are_judged_by_where_they_lead(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    write(outside, "other.py")
    write(folder, "code.py", ".env")
    (folder / "good.py").symlink_to("code.py")
    (folder / "settings.txt").symlink_to(".env")
    (folder / "away.py").symlink_to(outside / "other.py")
    (folder / "all").symlink_to(outside)
    (folder / "broken.py").symlink_to("nothing.py")
    assert travelling(folder) == {"code.py", "good.py"}


def test_the_same_files_make_the_same_package_whenever_and_wherever(folder, tmp_path_factory):
    write(folder, "b.py", "a.py", "run.sh")
    (folder / "run.sh").chmod(0o755)
    first, digest = pack(look(folder))
    other = tmp_path_factory.mktemp("other")
    write(other, "run.sh", "a.py", "b.py")
    (other / "run.sh").chmod(0o755)
    os.utime(other / "a.py", (1, 1))
    assert pack(look(other)) == (first, digest)
    (other / "run.sh").chmod(0o644)
    assert pack(look(other))[1] != digest


def test_a_package_that_ray_would_not_take_is_refused_before_the_upload(folder, monkeypatch):
    write(folder, "code.py", text="".join(map(str, range(1000))))
    monkeypatch.setattr(packing, "MOST_BYTES", 100)
    with pytest.raises(PackageError, match=r"leave folders out with a \.rayignore file"):
        pack(look(folder))


def test_a_folder_with_too_many_files_is_hardly_the_right_one(folder, monkeypatch):
    write(folder, *(f"{number}.py" for number in range(5)))
    monkeypatch.setattr(packing, "MOST_FILES", 4)
    with pytest.raises(PackageError, match="more than 4 files; name the project's folder"):
        look(folder)


def test_the_checkout_around_the_file_travels_else_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path, "a/b/study.yaml")
    monkeypatch.chdir(tmp_path / "a")
    assert working_folder(Path("b/study.yaml"), None) == tmp_path / "a"
    git(tmp_path, "init")
    assert working_folder(Path("b/study.yaml"), None) == tmp_path
    assert working_folder(Path("b/study.yaml"), Path("b")) == tmp_path / "a/b"
    with pytest.raises(PackageError, match="does not lie in"):
        working_folder(Path("b/study.yaml"), REPOSITORY)
    with pytest.raises(PackageError, match="is not a folder"):
        working_folder(Path("b/study.yaml"), Path("nowhere"))


def test_this_repository_travels_with_all_that_its_programs_need():
    contents = look(REPOSITORY)
    listed = subprocess.run(["git", "-C", str(REPOSITORY), "ls-files", "g3dr", "orchestrator"], capture_output=True, text=True, check=True)
    needed = {path for path in listed.stdout.split() if (REPOSITORY / path).exists()}
    assert needed - set(contents.sizes) == set()
    assert set(contents.staying) <= {"data"}
    shipped = sum(size for path, size in contents.sizes.items() if path.endswith(".safetensors"))
    assert 0 < shipped < 8e6
    assert len(pack(contents)[0]) - shipped < 5e6  # a network hardly gets smaller in a ZIP file


VALUE = "wJalrXUtnFEMI/K7MDENG"


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "WANDB_API_KEY", "DB_PASSWORD", "SSH_PRIVATE_KEY", "SIGNING_KEY"])
def test_a_file_with_the_value_of_a_secret_is_named_and_the_value_is_not(name):
    with pytest.raises(LeakError, match=f"^notes.md holds the value of {name} and would travel in clear") as caught:
        check_leaks([("a.py", b"x"), ("notes.md", f"k: {VALUE}!".encode())], [], secrets_of({name: VALUE}, (), None))
    assert VALUE not in str(caught.value)


def test_the_token_and_what_is_passed_on_are_looked_for_in_the_command_too():
    found = secrets_of({"CONNECTION": f"db://me:{VALUE}@host"}, ("CONNECTION",), "the-token-of-the-cluster")
    with pytest.raises(LeakError, match="the job's command holds the value of RAY_AUTH_TOKEN"):
        check_leaks([], [("the job's command", "run --set name=the-token-of-the-cluster")], found)
    with pytest.raises(LeakError, match=r"x\.py holds the value of CONNECTION"):
        check_leaks([("x.py", f"'db://me:{VALUE}@host'".encode())], [], found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
        ("KEY_PATH", "/etc/hostname"),
        ("A_TOKEN", "on"),
    ],
)
def test_regions_addresses_and_paths_are_no_secrets(name, value):
    assert secrets_of({name: value}, (name,), None) == {}
