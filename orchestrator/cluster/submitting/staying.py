"""Which files stay at home: secrets, data, results, what is large, and links that lead elsewhere."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

MOST_BYTES_PER_FILE = 5 * 2**20
"""Larger files are not code."""

SECRET, DATA, RESULT, LARGE, LINK, IGNORED = "secret", "data", "result", "large", "link", "ignored"
REASONS = {
    SECRET: "may hold secrets",
    DATA: "pictures, archives, models, logs and other data",
    RESULT: "results",
    LARGE: f"above {MOST_BYTES_PER_FILE // 2**20} MB",
    LINK: "links that lead elsewhere, and what is no file",
    IGNORED: "ignored",
}

SECRET_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.gpg", "*.asc"),
    *(
        "id_rsa*",
        "id_dsa*",
        "id_ecdsa*",
        "id_ed25519*",
        "*.token",
        "auth_token",
        "token",
        "token.txt",
        "token.json",
        "*.tfvars",
        "*.tfstate*",
    ),
    *("credentials", "credentials.csv", "credentials.ini", "credentials.json", "credentials.toml", "credentials.txt", "credentials.y*ml"),
    *("secret", "secrets", "secret*.csv", "secret*.ini", "secret*.json", "secret*.toml", "secret*.txt", "secret*.y*ml", "*_secret*.y*ml"),
    *(
        ".netrc",
        "_netrc",
        ".pgpass",
        ".npmrc",
        ".pypirc",
        ".git-credentials",
        ".dockercfg",
        ".s3cfg",
        ".boto",
        "kubeconfig",
        "*.kubeconfig",
    ),
    *(
        "service-account*.json",
        "service_account*.json",
        "application_default_credentials.json",
        "rclone.conf",
        ".htpasswd",
        "*password*.txt",
    ),
)
"""Patterns of a file's name, in lower case."""

SECRET_FOLDERS = frozenset({".aws", ".azure", ".config", ".docker", ".gcloud", ".gnupg", ".kube", ".ray", ".secrets", ".ssh", "secrets"})
"""Nothing below a folder of such a name travels."""

_DATA = """
    .png .jpg .jpeg .jpe .gif .bmp .tif .tiff .webp .avif .heic .exr .hdr .ppm .pgm .pfm .psd
    .mp4 .mov .avi .mkv .webm .mp3 .wav
    .zip .tar .tgz .gz .bz2 .xz .zst .7z .rar .whl .egg .jar
    .parquet .arrow .feather .tfrecord .h5 .hdf5 .npy .npz .mat .pkl .pickle .joblib .db .sqlite .sqlite3 .lmdb .mdb
    .safetensors .pt .pth .ckpt .bin .onnx .pb .tflite .gguf .torchscript
    .glb .gltf .ply .obj .stl .usdz .fbx
    .so .dylib .dll .exe .o .a .pyc .pyo .swp .core
    .log .out .err .pid .tmp
"""
DATA_ENDINGS = frozenset(_DATA.split())
"""Endings of files that are data or are made from others; a log that grows while somebody submits would make another package each time."""

_OF_THE_PROGRAM = ("g3dr/depth/weights/",)
"""Begin the paths of data that programs need: the depth network that is shipped."""

_RESULT_FOLDERS = frozenset({"results", "mlruns", "wandb", "lightning_logs", "ray_results"})
_CACHES = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        "__pycache__",
        "node_modules",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".ipynb_checkpoints",
    }
)
"""Ray leaves the first of these out by itself; nobody wants the others."""

_RUN = re.compile(r"^(?P<root>(?:.*/)?)runs/[0-9a-f]{16}/")
_IN_A_LEDGER = ("runs/", "reports/", "datasets/", "control/", "evaluations/")


def is_secret(path: str) -> bool:
    """Tells whether a file may hold secrets, by its path alone.

    Args:
        path: Relative, with slashes.
    """
    *folders, name = PurePosixPath(path.lower()).parts
    return not SECRET_FOLDERS.isdisjoint(folders) or any(fnmatchcase(name, pattern) for pattern in SECRET_NAMES)


def is_cache(path: str) -> bool:
    """Tells whether a path is, or lies in, a folder that is made from others."""
    return not _CACHES.isdisjoint(PurePosixPath(path).parts)


def reason_to_stay(path: str, size: int, ledgers: Iterable[str] = ()) -> str | None:
    """Returns one of `REASONS`, None for a file that travels.

    Args:
        path: Relative, with slashes.
        size: Bytes.
        ledgers: What `ledgers_among` found.
    """
    if is_secret(path):
        return SECRET
    if _is_result(path, ledgers):
        return RESULT
    if path.startswith(_OF_THE_PROGRAM):
        return None
    if PurePosixPath(path.lower()).suffix in DATA_ENDINGS or ".tfevents." in path:
        return DATA
    return LARGE if size > MOST_BYTES_PER_FILE else None


def ledgers_among(paths: Iterable[str]) -> frozenset[str]:
    """Returns the folders of results among paths, each with a slash at its end, or empty for the topmost: those with `runs/<run id>/`."""
    return frozenset(found["root"] for path in paths if (found := _RUN.match(path)))


def _is_result(path: str, ledgers: Iterable[str]) -> bool:
    if not _RESULT_FOLDERS.isdisjoint(PurePosixPath(path).parts[:-1]):
        return True
    return any(path.startswith(root or _IN_A_LEDGER) for root in ledgers)
