"""ImageNet's trees, tar files and labels; iNaturalist's folders and annotations."""

import json

import numpy as np
import pytest
from picture_files import write_pair
from scipy.io import savemat
from source_files import BIRD, FISH, LABELS, VALIDATION, make_imagenet, placed, tar_of

from g3dr.errors import DataError
from orchestrator.shards import FolderSource, pack
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


@pytest.fixture
def imagenet(tmp_path):
    return make_imagenet(tmp_path)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("inside", [True, False])
def test_imagenet_with_flat_validation_pictures(imagenet, tmp_path, name, inside):
    folder = imagenet if inside else tmp_path / "kit"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(LABELS[name])
    synsets = np.array([(489, FISH), (490, BIRD)], dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    savemat(folder / "meta.mat", {"synsets": synsets})
    known = name.startswith(("LOC", "ILSVRC", "imagenet"))
    source = FolderSource(str(imagenet), labels=() if inside and known else (str(folder / name),))
    found = placed(source)
    assert {key: place for key, place in found.items() if place[1] == "test"} == VALIDATION
    assert sum(place[1] == "train" for place in found.values()) == 4


def test_flat_validation_pictures_without_labels_are_left_out_with_a_hint(imagenet, store):
    manifest = pack(FolderSource(str(imagenet)), store)
    assert manifest.rows() == 4
    assert len(manifest.quarantine) == 3
    assert all("--labels FILE" in entry.reason and "--splits" in entry.reason for entry in manifest.quarantine)
    assert pack(FolderSource(str(imagenet), splits=("train",)), store, strict=True).rows() == 4


def test_validation_in_class_folders_is_the_same_dataset_as_flat_with_labels(imagenet, store, tmp_path):
    (imagenet / "LOC_val_solution.csv").write_text(LABELS["LOC_val_solution.csv"])
    flat = pack(FolderSource(str(imagenet)), store)
    for key in VALIDATION:
        _, wnid, name = key.split("/")
        (imagenet / "val" / wnid).mkdir(exist_ok=True)
        for ending in (".JPEG", "_depth.png"):
            (imagenet / "val" / f"{name}{ending}").rename(imagenet / "val" / wnid / f"{name}{ending}")
    assert pack(FolderSource(str(imagenet)), open_store(str(tmp_path / "other"))).version == flat.version


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("labels.txt", "1\n2\n3\n", "meta.mat"),
        ("labels.txt", "fish\n", "'fish' is no label"),
        ("labels.txt", "", "empty"),
        ("labels.txt", "a.JPEG 7\n", "only 2 class folders"),
        ("labels.json", "{}", "images, annotations and categories"),
        ("labels.json", "[", "images, annotations and categories"),
    ],
)
def test_labels_of_no_known_form_are_refused(imagenet, tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=says):
        FolderSource(str(imagenet), labels=(str(tmp_path / name),)).items()
    with pytest.raises(DataError, match="no such file of labels"):
        FolderSource(str(imagenet), labels=(str(tmp_path / "absent.txt"),)).items()


def test_imagenet_as_it_ships(imagenet, tmp_path, store):
    """A tar file of tar files for training, a flat one for validation, and the labels."""
    ships, classes = tmp_path / "ships", tmp_path / "classes"
    ships.mkdir()
    classes.mkdir()
    for wnid in (FISH, BIRD):
        tar_of(imagenet / "train" / wnid, classes / f"{wnid}.tar")
    tar_of(classes, ships / "ILSVRC2012_img_train.tar")
    tar_of(imagenet / "val", ships / "ILSVRC2012_img_val.tar")
    (tmp_path / "labels.csv").write_text(LABELS["LOC_val_solution.csv"])
    labels = (str(tmp_path / "labels.csv"),)
    from_tar = pack(FolderSource(str(ships), labels=labels), store)
    assert pack(FolderSource(str(imagenet), labels=labels), open_store(str(tmp_path / "other"))).version == from_tar.version
    assert from_tar.rows() == 7


TAXA = ["00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris", "00001_Animalia_A_B_C_D_Morus_alba"]
NAMESAKE = "00002_Plantae_A_B_C_D_Morus_alba"


def test_inaturalist_folders_are_named_by_genus_and_species(tmp_path):
    for split in ("train", "val"):
        for folder in TAXA:
            write_pair(tmp_path / "inat" / split / folder, "0a1b")
    found = placed(FolderSource(str(tmp_path / "inat")))
    assert found["train/Lumbricus_terrestris/0a1b"] == ("Lumbricus_terrestris", "train")
    assert {species for species, _ in found.values()} == {"Lumbricus_terrestris", "Morus_alba"}
    write_pair(tmp_path / "inat" / "train" / NAMESAKE, "2c")
    assert {species for species, _ in placed(FolderSource(str(tmp_path / "inat"))).values()} == {"Lumbricus_terrestris", TAXA[1], NAMESAKE}
    assert FolderSource(str(tmp_path / "inat"), layout="folders").items()[0].species == TAXA[0]


def test_inaturalist_annotations(tmp_path, store):
    root = tmp_path / "inat"
    for number in range(5):
        write_pair(root / "train_val2019" / "Birds" / "77", f"{number}", ending=".jpg")
    categories = [{"id": 5, "name": "Turdus merula"}, {"id": 6, "name": "Turdus philomelos"}]
    for name, numbers in (("train2019.json", (0, 1)), ("val2019.json", (2, 3))):
        images = [{"id": n, "file_name": f"train_val2019/Birds/77/{n}.jpg"} for n in numbers]
        annotations = [{"image_id": n, "category_id": 5 + n % 2} for n in numbers]
        (tmp_path / name).write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    labels = (str(tmp_path / "train2019.json"), str(tmp_path / "val2019.json"))
    manifest = pack(FolderSource(str(root), labels=labels), store)
    assert manifest.species() == ("Turdus merula", "Turdus philomelos")
    assert (manifest.rows("train"), manifest.rows("test")) == (2, 2)
    assert "none of the files of labels names it" in manifest.quarantine[0].reason
    below = FolderSource(str(root / "train_val2019"), labels=labels)
    assert {species for species, _ in placed(below).values()} == set(manifest.species())
