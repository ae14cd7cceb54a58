"""The fast decoders give the pixels of the careful ones, or leave the file to them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from g3dr.errors import DataError
from g3dr.pictures import decode_depth, decode_image, encode_depth, encode_image
from orchestrator.shards import plain_pictures
from orchestrator.shards.decoding import decode_batch, decode_rows
from orchestrator.shards.plain_pictures import decode_depth_fast, decode_image_fast

pytestmark = pytest.mark.unit
CHANCE = np.random.default_rng(5)
SMOOTH = np.asarray(Image.fromarray(CHANCE.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((61, 43), Image.Resampling.BICUBIC))
DEPTH = np.linspace(4, 5.999, 43 * 61).reshape(43, 61)


def file(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


RGB = Image.fromarray(SMOOTH)
PLAIN = {
    "png": file(RGB, "PNG"),
    "jpeg": file(RGB, "JPEG"),
    "coarse jpeg": file(RGB, "JPEG", quality=30, subsampling="4:2:0"),
    "progressive jpeg": file(RGB, "JPEG", progressive=True, optimize=True),
    "gray jpeg": file(RGB.convert("L"), "JPEG"),
    "our jpeg": encode_image(SMOOTH, "jpeg"),
}
UNUSUAL = {
    "alpha": file(RGB.convert("RGBA"), "PNG"),
    "palette": file(RGB.convert("P"), "PNG"),
    "gray png": file(RGB.convert("L"), "PNG"),
    "16 bits": file(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000), "PNG"),
    "transparent colour": file(RGB, "PNG", transparency=tuple(SMOOTH[0, 0].tolist())),
    "turned jpeg": file(RGB, "JPEG", exif=turned()),
    "turned png": file(RGB, "PNG", exif=turned()),
    "cmyk": file(RGB.convert("CMYK"), "JPEG"),
    "webp": file(RGB, "WEBP"),
    "bytes after the end": file(RGB, "JPEG") + b"more",
}


@pytest.mark.parametrize("name", [*PLAIN, *UNUSUAL])
def test_same_pixels_as_the_careful_decoder(name):
    data = {**PLAIN, **UNUSUAL}[name]
    fast = decode_image_fast(data)
    assert fast.dtype == np.uint8
    assert np.array_equal(fast, decode_image(data))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_take_the_fast_way(name, monkeypatch):
    monkeypatch.setattr(plain_pictures, "decode_image", lambda data: pytest.fail("went to Pillow"))
    assert decode_image_fast(PLAIN[name]).shape == (43, 61, 3)


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_files_go_to_the_careful_decoder(name, monkeypatch):
    monkeypatch.setattr(plain_pictures, "decode_image", lambda data: "careful")
    assert decode_image_fast(UNUSUAL[name]) == "careful"


def test_without_the_fast_decoders_everything_is_the_same(monkeypatch):
    monkeypatch.setattr(plain_pictures.torch.ops, "image", object())
    assert np.array_equal(decode_image_fast(PLAIN["jpeg"]), decode_image(PLAIN["jpeg"]))
    assert np.array_equal(decode_depth_fast(encode_depth(DEPTH)), decode_depth(encode_depth(DEPTH)))


def test_depth_has_the_same_bits():
    data = encode_depth(DEPTH)
    assert decode_depth_fast(data).dtype == np.float32
    assert np.array_equal(decode_depth_fast(data), decode_depth(data))


@pytest.mark.parametrize("name", ["png", "jpeg"])
def test_what_is_cut_off_is_refused_in_the_usual_words(name):
    for part in (10, len(PLAIN[name]) // 2):
        with pytest.raises(DataError) as usual:
            decode_image(PLAIN[name][:part])
        with pytest.raises(DataError) as fast:
            decode_image_fast(PLAIN[name][:part])
        assert str(fast.value) == str(usual.value)


def test_an_8_bit_depth_map_is_refused():
    with pytest.raises(DataError, match="16-bit gray PNG"):
        decode_depth_fast(file(RGB.convert("L"), "PNG"))


def test_a_batch_in_one_pass_equals_decoded_rows():
    rows = [
        {"key": f"{number}", "species": "ant", "image": data, "depth": encode_depth(DEPTH + number / 100), "flip": number % 2}
        for number, data in enumerate(PLAIN.values())
    ]
    whole = decode_rows(rows, 16)
    for flip in (False, True):
        batch = decode_batch(rows, 16, flip=flip)
        expected = whole.batch(range(len(rows)), [bool(row["flip"]) for row in rows] if flip else None)
        assert torch.equal(batch.images, expected.images)
        assert torch.equal(batch.depths, expected.depths)
        assert list(batch.keys) == list(expected.keys)


def test_damage_names_the_row():
    with pytest.raises(DataError, match=r"^fish/7: "):
        decode_batch([{"key": "fish/7", "species": "fish", "image": b"broken", "depth": encode_depth(DEPTH), "flip": 0}], 16, flip=True)
