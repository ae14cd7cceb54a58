"""Pictures, depth maps and masks survive their files; broken files are refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from g3dr.errors import DataError
from g3dr.pictures import decode_depth, decode_image, decode_masks, encode_depth, encode_image, encode_masks

pytestmark = pytest.mark.unit


def file_of(image, file_format="png", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


@pytest.fixture
def rgb():
    return np.random.default_rng(1).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def test_png_keeps_every_value(rgb):
    assert np.array_equal(decode_image(encode_image(rgb)), rgb)


def test_jpeg_is_close_and_quality_counts():
    smooth = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8)[None, :, None], (32, 48, 3))
    fine, coarse = encode_image(smooth, format="jpeg"), encode_image(smooth, format="jpeg", quality=10)
    assert np.abs(decode_image(fine).astype(int) - smooth).max() <= 4
    assert len(coarse) < len(fine)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_other_modes_become_rgb(mode):
    gray = Image.new("L", (6, 4), 255)
    gray.paste(0, (0, 0, 3, 4))
    decoded = decode_image(file_of(gray.convert(mode)))
    assert decoded.shape == (4, 6, 3)
    assert (decoded[:, :3] == 0).all()
    assert (decoded[:, 3:] == 255).all()


def test_cmyk_becomes_rgb():
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(decode_image(file_of(ink, "jpeg"))[4, 4].astype(int) - (255, 0, 0)).max() <= 3


def test_16_bit_gray_is_scaled_not_clipped():
    decoded = decode_image(file_of(Image.fromarray(np.full((2, 2), 0x4000, dtype=np.uint16))))
    assert (decoded == 0x40).all()


def test_transparent_becomes_white():
    clear = Image.new("RGBA", (3, 3), (200, 10, 10, 0))
    assert (decode_image(file_of(clear)) == 255).all()


def test_exif_orientation_is_applied(rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode_image(file_of(Image.fromarray(rgb), exif=exif))
    assert np.array_equal(decoded, np.rot90(rgb, -1))


@pytest.mark.parametrize("file_format", ["jpeg", "png"])
def test_truncated_picture_is_refused(rgb, file_format):
    data = encode_image(np.tile(rgb, (4, 4, 1)), format=file_format)
    with pytest.raises(DataError, match="cut off or damaged"):
        decode_image(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(DataError, match="picture"):
        decode_image(data)


def test_bomb_is_refused_before_it_unpacks():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match="pixels"):
        decode_image(data)


def test_depth_survives_within_half_a_step():
    depth = np.random.default_rng(2).uniform(4, 6 - 2 / 65536, (9, 7))
    decoded = decode_depth(encode_depth(depth))
    assert decoded.dtype == np.float32
    # Half a level is 1.53e-5; float32 near 6 adds 2.4e-7.
    assert np.abs(decoded - depth).max() <= 1.0 / 65536 + 5e-7


def test_depth_outside_is_clipped():
    decoded = decode_depth(encode_depth(np.array([[3.0, 4.0, 6.0, np.inf]])))
    assert decoded.tolist() == [[4.0, 4.0, 6 - 2 / 65536, 6 - 2 / 65536]]


def test_depth_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="not numbers"):
        encode_depth(np.array([[5.0, np.nan]]))


def test_8_bit_depth_is_refused():
    with pytest.raises(DataError, match="16-bit"):
        decode_depth(file_of(Image.new("L", (4, 4), 128)))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_depth_must_be_a_png(mode):
    with pytest.raises(DataError, match="16-bit gray PNG"):
        decode_depth(file_of(Image.new(mode, (4, 4)), "jpeg"))


def test_truncated_depth_is_refused():
    data = encode_depth(np.random.default_rng(3).uniform(4, 6, (40, 40)))
    with pytest.raises(DataError, match="cut off or damaged"):
        decode_depth(data[: len(data) // 2])


def test_masks_survive():
    masks = np.random.default_rng(4).random((3, 5, 6)) < 0.5
    assert np.array_equal(np.stack(decode_masks(encode_masks(*masks))), masks)


def test_masks_of_another_kind_are_refused(rgb):
    with pytest.raises(DataError, match="8-bit gray"):
        decode_masks(encode_image(rgb))
