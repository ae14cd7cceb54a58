"""Pictures of every bad kind, seeded: what they are, and what must become of them."""

import io
import os
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from picture_files import encode_depth, file_of, smooth, turned
from PIL import Image, ImageOps


@dataclass
class Input:
    """A file of the folder, and what must become of it: `row`, `left out` or `either`."""

    kind: str
    image: bytes
    ending: str
    expected: str
    depth: bytes | None = None
    upright_depth: np.ndarray | None = None
    stem: str = ""
    path: str = field(default="", init=False)


def sized(chance):
    return int(chance.integers(2, 40)), int(chance.integers(2, 40))


def levels(chance, width, height):
    """Depth that a 16-bit file holds exactly."""
    return (chance.integers(0, 65536, (height, width)) / 65536 * 2 + 4).astype(np.float32)


def plain(chance):
    width, height = sized(chance)
    return Image.fromarray(smooth(width, height, int(chance.integers(6))))


def flipped(data, chance, bits):
    data = bytearray(data)
    for position in chance.integers(0, len(data), bits):
        data[position] ^= 1 << int(chance.integers(8))
    return bytes(data)


def bit_flips(chance):
    jpeg = chance.random() < 0.5
    data = flipped(file_of(plain(chance), "jpeg" if jpeg else "png"), chance, int(chance.integers(1, 12)))
    return Input("bit flips", data, ".jpg" if jpeg else ".png", "either")


def cut_off(chance):
    jpeg = chance.random() < 0.5
    data = file_of(plain(chance), "jpeg" if jpeg else "png")
    # A JPEG that lacks only its end marker is whole.
    return Input("cut off", data[: int(chance.integers(0, len(data) // 2))], ".jpg" if jpeg else ".png", "left out")


def empty(chance):
    return Input("empty", b"", str(chance.choice([".jpg", ".png", ".webp"])), "left out")


def bomb(chance):
    side = int(chance.integers(20_000, 2**31 - 1))

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return Input("bomb", data, ".png", "left out")


def no_picture(chance):
    data = chance.choice(
        [b"<html>404</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", b"PK\x03\x04", b"\xff\xd8\xff"]
    )
    return Input("no picture", bytes(data), str(chance.choice([".jpg", ".png", ".heic"])), "left out")


def wrong_ending(chance):
    made, ending = [("png", ".jpg"), ("jpeg", ".png"), ("webp", ".jpeg"), ("gif", ".JPEG"), ("bmp", ".png")][chance.integers(5)]
    return Input("wrong ending", file_of(plain(chance), made), ending, "row")


def other_mode(chance):
    mode, made = [
        ("CMYK", "jpeg"),
        ("CMYK", "tiff"),
        ("L", "png"),
        ("1", "png"),
        ("P", "png"),
        ("LA", "png"),
        ("RGBA", "png"),
        ("L", "jpeg"),
    ][chance.integers(8)]
    image = plain(chance).convert(mode)
    if mode in {"LA", "RGBA"}:
        image.putalpha(Image.fromarray(chance.integers(0, 256, image.size[::-1], dtype=np.uint8)))
    options = {"transparency": 3} if mode == "P" and chance.random() < 0.5 else {}
    return Input(f"mode {mode}", file_of(image, made, **options), f".{made}", "row")


def deep(chance):
    width, height = sized(chance)
    return Input("16 bit", file_of(Image.fromarray(chance.integers(0, 65536, (height, width), dtype=np.uint16))), ".png", "row")


def floating(chance):
    width, height = sized(chance)
    return Input("float", file_of(Image.fromarray(chance.random((height, width), dtype=np.float32)), "tiff"), ".tif", "left out")


def animated(chance):
    width, height = sized(chance)
    frames = [Image.fromarray(smooth(width, height, seed)) for seed in range(3)]
    made = str(chance.choice(["gif", "png", "webp", "tiff"]))
    options = {"lossless": True} if made == "webp" else {}
    return Input("animated", file_of(frames[0], made, save_all=True, append_images=frames[1:], **options), f".{made}", "row")


def rotated(chance):
    """Depth fits the upright picture or the stored one; where it fits both nobody can know."""
    width, height = sized(chance)
    stored, orientation = smooth(width, height), int(chance.integers(2, 9))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(turned(stored, orientation)))))
    depth = levels(chance, upright.shape[1], upright.shape[0])
    given = depth
    if chance.random() < 0.5:
        back = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
        codes = Image.fromarray(np.rint((depth - 4) / 2 * 65536).astype(np.int32))
        given = np.asarray(ImageOps.exif_transpose(with_orientation(codes, back))) / 65536 * 2 + 4
    known = orientation >= 5 and width != height
    return Input("rotated", turned(stored, orientation), ".jpg", "row" if known else "left out", encode_depth(given), depth)


def with_orientation(image, orientation):
    image.getexif()[0x0112] = orientation
    return image


def one_pixel(chance):
    return Input("one pixel", file_of(Image.fromarray(smooth(1, 1)), str(chance.choice(["png", "jpeg"]))), ".png", "row")


def odd_name(chance):
    stem = str(
        chance.choice(
            ["gr\u00f6\u00dfe", "gro\u0308\u00dfe", "\u732b", "\U0001f99c", "two\nlines", "tab\there", "[bold]x", "a b", "100%", "'quoted'"]
        )
    )
    if chance.random() < 0.2:
        stem = os.fsdecode(b"latin-\xe9")
    return Input("odd name", file_of(plain(chance)), ".png", "row", stem=stem)


def twin(chance):
    """Names that differ only in ending or in how Unicode writes them: one key, one depth map for each way of writing."""
    stem = str(chance.choice(["twin", "gr\u00f6\u00dfe", "gro\u0308\u00dfe"]))
    image = Image.fromarray(smooth(12, 9, int(chance.integers(6))))
    depth = levels(np.random.default_rng(len(stem)), 12, 9)
    ending = str(chance.choice([".jpg", ".jpeg", ".JPG"]))
    return Input("twin", file_of(image, "jpeg"), ending, "row", encode_depth(depth), depth, stem=stem)


def bad_depth(chance):
    width, height = sized(chance)
    image = Image.fromarray(smooth(width, height))
    depth = [
        file_of(image.convert("L")),
        file_of(image),
        file_of(image, "jpeg"),
        b"",
        b"nothing",
        encode_depth(levels(chance, width + 1, height)),
        encode_depth(levels(chance, width, height))[:-30],
    ][chance.integers(7)]
    return Input("bad depth", file_of(image), ".png", "left out", depth)


def no_depth(chance):
    return Input("no depth", file_of(plain(chance)), ".png", "left out", depth=b"none")


def nowhere(chance):
    return Input("link to nowhere", b"link", ".png", "left out")


KINDS = [
    bit_flips, bit_flips, bit_flips, bit_flips, cut_off, empty, bomb, no_picture, wrong_ending, other_mode, other_mode, deep, floating,
    animated, rotated, rotated, one_pixel, odd_name, odd_name, twin, twin, bad_depth, no_depth, nowhere,
]  # fmt: skip


def write(made, folder, number, chance):
    """Writes an input and its depth map, and notes its path; two kinds have no file of their own."""
    stem = f"{number:03d}{made.stem}" if made.kind == "odd name" else made.stem or f"{number:03d}"
    subfolder = folder / ("s0" if made.kind == "twin" else f"s{number % 7}") / (f"twins{number // 100}" if made.kind == "twin" else "")
    subfolder.mkdir(parents=True, exist_ok=True)
    path = subfolder / (stem + made.ending)
    if path.exists():
        return False
    made.path = str(path)
    if made.kind == "link to nowhere":
        path.symlink_to(folder / "nowhere")
    else:
        path.write_bytes(made.image)
    depth_path = subfolder / f"{stem}_depth.png"
    if made.depth is None:
        made.upright_depth = levels(chance, *size_of(made))
        made.depth = encode_depth(made.upright_depth)
    if made.kind != "no depth":
        depth_path.write_bytes(made.depth)
    return True


def size_of(made):
    """Returns width and height as Pillow sees them, or any."""
    try:
        with Image.open(io.BytesIO(made.image)) as image:
            return image.size if image.width * image.height < 10**6 else (4, 4)
    except Exception:
        return 4, 4


def write_all(folder, count, seed):
    """Writes `count` inputs, the kinds in turn; where a name is taken, bit flips instead."""
    chance, made = np.random.default_rng(seed), []
    for number in range(count):
        one = KINDS[number % len(KINDS)](chance)
        if not write(one, folder, number, chance):
            one = bit_flips(chance)
            write(one, folder, number, chance)
        made.append(one)
    return made
