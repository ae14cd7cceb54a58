"""What ImageNet looks like on a disk, with three validation pictures and two classes; other helpers of the tests of sources."""

import tarfile

from picture_files import write_pair

FISH, BIRD = "n01440764", "n01530575"


def make_imagenet(tmp_path):
    """Two classes; two validation pictures that lie flat, and whose order is not that of the classes."""
    root = tmp_path / "imagenet"
    for wnid in (FISH, BIRD):
        for number in (7, 26):
            write_pair(root / "train" / wnid, f"{wnid}_{number}", ending=".JPEG")
    for number in (1, 2, 3):
        write_pair(root / "val", f"ILSVRC2012_val_{number:08d}", ending=".JPEG")
    return root


VALIDATION = {
    f"val/{BIRD}/ILSVRC2012_val_00000001": (BIRD, "test"),
    f"val/{FISH}/ILSVRC2012_val_00000002": (FISH, "test"),
    f"val/{FISH}/ILSVRC2012_val_00000003": (FISH, "test"),
}
LABELS = {
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    f"ILSVRC2012_val_00000003,{FISH} 85 1 499 272\nILSVRC2012_val_00000001,{BIRD} 1 2 3 4 {BIRD} 5 6 7 8\n"
    f"ILSVRC2012_val_00000002,{FISH} 1 1 1 1\n",
    "imagenet_2012_validation_synset_labels.txt": f"{BIRD}\n{FISH}\n{FISH}\n",
    "names.txt": "".join(f"ILSVRC2012_val_0000000{n}.JPEG {w}\n" for n, w in ((1, BIRD), (2, FISH), (3, FISH))),
    "val.txt": "ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000003.JPEG 0\n",
    "ILSVRC2012_validation_ground_truth.txt": "490\n489\n489\n",
}


def placed(source):
    """Species and split of every picture by its key, if nothing is known against it."""
    return {item.key: (item.species, item.split) for item in source.items() if not item.problem}


def tar_of(folder, target, mode="w", inside="", only=None):
    """Packs a folder into a tar file; `inside` is put before every name."""
    with tarfile.open(target, mode) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and (only is None or only in path.parts)):
            archive.add(path, f"{inside}{path.relative_to(folder).as_posix()}", recursive=False)
