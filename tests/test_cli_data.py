"""`g3dr data` from the outside: what it prints, where it writes, how it exits."""

import json
import re

import numpy as np
import pytest
from picture_files import write_pair
from PIL import Image
from typer.testing import CliRunner

from g3dr.errors import DataError, G3drError
from orchestrator.cli.data import app
from orchestrator.cli.data.words import plural
from orchestrator.experiment.byte_sizes import format_bytes
from orchestrator.shards import read_manifest
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def animals(tmp_path):
    result = invoke(
        "procedural", tmp_path / "animals", "--species", "0,1", "--individuals", 4, "--held-out", 1, "--views", 1, "--resolution", 8
    )
    assert result.exit_code == 0, result.output
    assert "Next: g3dr data pack" in result.output
    return tmp_path / "animals"


def test_invent_pack_verify(animals, tmp_path):
    result = invoke("pack", animals, tmp_path / "set", "--held-out", 0.25)
    assert result.exit_code == 0, result.output
    manifest = read_manifest(open_store(str(tmp_path / "set")))
    assert f"version {manifest.version}, 6 training and 2 test examples of 2 species in 4 shards" in result.output
    assert "packing: 8 of 8" in result.output
    assert manifest.quarantine == ()
    assert "every shard is intact" in invoke("verify", tmp_path / "set").output
    open_store(str(tmp_path / "set")).delete(manifest.shards[0].path)
    damaged = invoke("verify", tmp_path / "set")
    assert damaged.exit_code == 1
    assert "is missing" in damaged.output
    assert "1 problem. Next:" in damaged.output


def test_damage_names_shard_and_row_group(photos, tmp_path):
    store = open_store(str(tmp_path / "set"))
    assert invoke("pack", photos, store.uri, "--held-out", 0, "--row-group-rows", 2).exit_code == 0
    path = read_manifest(store).shards[1].path
    data = bytearray(store.read_bytes(path))
    last = data.rindex(b"IDAT")
    data[last + 20] ^= 0xFF
    store.write_bytes(path, bytes(data))
    result = invoke("verify", store.uri)
    assert result.exit_code == 1
    assert f"{store.uri}/{path}: changed since it was packed" in result.output
    assert f"{store.uri}/{path}, row group 3: cannot be decoded" in result.output


def test_what_was_left_out_is_told(animals, tmp_path):
    next(animals.rglob("*_depth.png")).write_bytes(b"broken")
    result = invoke("pack", animals, tmp_path / "set")
    assert result.exit_code == 0
    assert "1 left out" in result.output
    shown = invoke("show", tmp_path / "set", "--quarantine").output
    assert "left out: 1" in shown
    assert "_depth.png: the bytes are not a picture" in shown
    strict = invoke("pack", animals, tmp_path / "other", "--strict")
    assert isinstance(strict.exception, DataError)
    assert not (tmp_path / "other").exists()


def test_show_counts_and_draws(photos, tmp_path):
    assert invoke("pack", photos, tmp_path / "set", "--held-out", 0.3).exit_code == 0
    first = read_manifest(open_store(str(tmp_path / "set"))).version
    assert invoke("pack", tmp_path / "set", tmp_path / "set", "--species", "bee", "--resolution", 4).exit_code == 0
    old = invoke("show", tmp_path / "set", "--version", first, "--sheet", tmp_path / "sheet.png")
    assert old.exit_code == 0, old.output
    assert "14 rows (4 test, 10 train) of 2 species" in old.output
    assert re.search(r"ant +2 +5 ", old.output)
    assert re.search(rf"{first}  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  14 rows of 2 species\n", old.output)
    assert old.output.count("(current)") == 1
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 4 * 96
        assert np.asarray(sheet).std() > 20
    document = json.loads(invoke("show", tmp_path / "set", "--json").output)
    assert document["rows"] == {"test": 2, "train": 5}
    assert [species["species"] for species in document["species"]] == ["bee"]
    assert {version["version"] for version in document["versions"]} == {first, document["version"]}
    assert document["source"]["version"] == first


def test_pictures_without_depth_are_packed_on_demand(photos, tmp_path):
    for path in photos.rglob("*_depth.png"):
        path.unlink()
    refused = invoke("pack", photos, tmp_path / "set")
    assert "pack with `--depth none` and run `g3dr data depth`" in str(refused.exception)
    assert not (tmp_path / "set").exists()
    result = invoke("pack", photos, tmp_path / "set", "--depth", "none")
    assert result.exit_code == 0, result.output
    assert "Next: some rows have no depth map; g3dr data depth" in result.output
    assert "depth: 14 rows without a depth map" in invoke("show", tmp_path / "set", "--sheet", tmp_path / "sheet.png").output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height < 3 * 96
    again = invoke("pack", tmp_path / "set", tmp_path / "small", "--resolution", 4)
    assert again.exit_code == 0, again.output


def test_the_generator_packs_without_a_folder(tmp_path):
    result = invoke("pack", "procedural:species=0:individuals=2:held_out=1:views=1:resolution=8", tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert "1 training and 1 test examples of 1 species" in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pack", "{tmp}/nowhere", "{tmp}/set"), "no such folder"),
        (("pack", "{tmp}/nowhere.tar", "{tmp}/set"), "no such tar file"),
        (("pack", "ftp://somewhere", "{tmp}/set"), "s3://bucket/prefix"),
        (("pack", "procedural:fish=1", "{tmp}/set"), "procedural:fish"),
        (("pack", "{photos}", "{tmp}/set", "--splits", "left"), "train, val, test"),
        (("pack", "{photos}", "{tmp}/set", "--rows-per-shard", "0"), "1 or more"),
        (("pack", "{photos}", "{tmp}/set", "--source-version", "12"), "no version 12"),
        (("pack", "procedural:", "{tmp}/set", "--crop", "pad"), "--crop"),
        (("show", "{tmp}/nowhere"), "no dataset here"),
        (("verify", "{tmp}/nowhere"), "no dataset here"),
    ],
)
def test_wrong_words_are_one_sentence_and_leave_nothing(photos, tmp_path, words, says):
    result = invoke(*(word.format(tmp=tmp_path, photos=photos) for word in words))
    assert isinstance(result.exception, G3drError)
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("verb", ["pack", "show", "verify", "procedural"])
def test_help_has_an_example(verb):
    result = invoke(verb, "--help")
    assert result.exit_code == 0
    assert "Example: g3dr data" in result.output


def test_species_must_be_numbers(tmp_path):
    result = invoke("procedural", tmp_path / "x", "--species", "0,fish")
    assert "--species: got '0,fish'" in str(result.exception)


def test_names_with_brackets_are_shown_as_they_are(tmp_path):
    write_pair(tmp_path / "p" / "[bold]ant", "a")
    assert invoke("pack", tmp_path / "p", tmp_path / "set").exit_code == 0
    assert "[bold]ant " in invoke("show", tmp_path / "set").output


@pytest.mark.parametrize(("count", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e8, "250 MB"), (3.2e12, "3.2 TB")])
def test_sizes_in_words(count, words):
    assert format_bytes(count) == words


def test_plurals():
    assert [plural(count, "shard") for count in (1, 2, 1000)] == ["1 shard", "2 shards", "1,000 shards"]
