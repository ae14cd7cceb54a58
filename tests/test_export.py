"""Pictures and animations for people."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import av
import numpy as np
import pytest
import torch
from PIL import Image

from g3dr.errors import DataError
from g3dr.export import animation, contact_sheet, depth_picture, enlarge, film_strip, gif, save_png, video
from g3dr.export.pictures import encode_picture
from g3dr.export.workers import workers

pytestmark = pytest.mark.unit


def _solid(color, side=16):
    return np.full((side, side, 3), color, np.uint8)


def test_near_is_bright_and_far_is_dark():
    picture = depth_picture(np.array([[4.0, 5.0, 6.0]]), 4.0, 6.0)
    brightness = picture.astype(float).sum(axis=-1)[0]
    assert brightness[0] > brightness[1] > brightness[2]


def test_depth_outside_the_range_saturates_and_missing_depth_is_far():
    picture = depth_picture(np.array([[3.0, 4.0, 6.0, 9.0, np.nan, np.inf]]), 4.0, 6.0)[0]
    assert (picture[0] == picture[1]).all()
    assert (picture[2:] == picture[2]).all()


def test_an_empty_depth_range_is_refused():
    with pytest.raises(DataError, match="near must be smaller"):
        depth_picture(np.zeros((2, 2)), 5.0, 5.0)


def test_enlarging_repeats_pixels():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert (enlarge(picture, 3)[::3, ::3] == picture).all()
    assert enlarge(picture, 3).shape == (6, 6, 3)


def test_a_sheet_holds_every_picture_enlarged_in_its_column():
    sheet = contact_sheet(
        [[_solid((200, 0, 0)), _solid((0, 200, 0))], [_solid((0, 0, 200)), _solid((0, 200, 0))]], ["input", "novel"], scale=2
    )
    for color, count in {(200, 0, 0): 1, (0, 0, 200): 1, (0, 200, 0): 2}.items():
        assert (sheet == color).all(axis=-1).sum() == count * 32 * 32
    red, green = ((sheet == color).all(axis=-1).nonzero()[1].mean() for color in ((200, 0, 0), (0, 200, 0)))
    assert red < green


def test_a_sheet_draws_its_labels():
    with_label, without = (contact_sheet([[_solid((9, 9, 9), 40)]], [label]) for label in ("input", ""))
    assert (with_label != without).any()


@pytest.mark.parametrize("rows", [[], [[_solid(0)]], [[_solid(0), _solid(0, 8)]]])
def test_a_sheet_that_is_no_grid_is_refused(rows):
    with pytest.raises(DataError, match="contact sheet"):
        contact_sheet(rows, ["a", "b"])


def test_an_animation_keeps_every_frame_exactly_and_repeats():
    frames = np.stack([np.roll(np.eye(16, dtype=np.uint8)[..., None].repeat(3, -1) * 255, step, 0) for step in range(5)])
    with Image.open(BytesIO(animation(frames, fps=10.0))) as film:
        assert (film.format, film.n_frames, film.info["loop"]) == ("WEBP", 5, 0)
        for index, frame in enumerate(frames):
            film.seek(index)
            assert (np.asarray(film.convert("RGB")) == frame).all()


@pytest.mark.parametrize(("count", "fps"), [(0, 10.0), (2, 0.0)])
@pytest.mark.parametrize("encode", [animation, gif, video])
def test_an_impossible_animation_is_refused(encode, count, fps):
    with pytest.raises(DataError, match="animation"):
        encode(np.zeros((count, 4, 4, 3), np.uint8), fps)


def test_a_video_has_every_frame_in_every_round_and_even_sides():
    ramp = np.linspace(0, 200, 33, dtype=np.uint8)
    frames = np.stack([np.broadcast_to((ramp + 10 * step)[:, None, None], (33, 31, 3)) for step in range(4)])
    with av.open(BytesIO(video(frames, fps=10.0, rounds=2))) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, float(stream.average_rate)) == ("h264", "yuv420p", 10.0)
        decoded = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    assert [frame.shape for frame in decoded] == [(34, 32, 3)] * 8
    for frame, expected in zip(decoded, [*frames, *frames], strict=True):
        assert np.abs(frame[:33, :31].astype(int) - expected).mean() < 4


def test_a_video_can_start_before_it_is_loaded():
    data = video(np.zeros((2, 16, 16, 3), np.uint8))
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_gif_repeats_with_one_palette_and_near_colours():
    ramp = np.linspace(0, 255, 32, dtype=np.uint8)
    frames = np.stack([np.stack([np.roll(np.tile(ramp, (32, 1)), 8 * turn, axis=1), np.tile(ramp[:, None], 32), np.full((32, 32), 90)], -1)
                       for turn in range(4)]).astype(np.uint8)  # fmt: skip
    with Image.open(BytesIO(gif(frames, fps=12.0))) as film:
        assert (film.n_frames, film.info["loop"], film.info["duration"]) == (4, 0, 80)
        for number, expected in enumerate(frames):
            film.seek(number)
            assert np.abs(np.asarray(film.convert("RGB")).astype(int) - expected).mean() < 8


def test_a_gif_is_never_so_fast_that_viewers_slow_it_down():
    with Image.open(BytesIO(gif(np.stack([_solid((0, 0, 0)), _solid((255, 255, 255))]), fps=120.0))) as film:
        assert film.info["duration"] == 20


def test_workers_compute_alone_and_leave_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    with workers(torch.device("cpu")) as pool:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(4))) == {1}
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == before


def test_a_strip_drops_frames_evenly():
    frames = np.arange(10, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)
    assert film_strip(frames, most_frames=5)[0, ::4, 0].tolist() == [0, 2, 4, 6, 8]
    assert film_strip(frames).shape == (4, 40, 3)


def test_a_strip_fits_into_one_webp_picture():
    assert film_strip(np.zeros((40, 2, 512, 3), np.uint8)).shape[1] <= 16_383


def test_a_strip_without_frames_is_refused():
    with pytest.raises(DataError, match="film strip"):
        film_strip(np.zeros((0, 4, 4, 3), np.uint8))


@pytest.mark.parametrize(("side", "kind"), [(32, "png"), (128, "webp")])
def test_small_pictures_are_kept_exactly_and_large_ones_small(side, kind):
    data, media_type = encode_picture(_solid((10, 120, 200), side))
    assert media_type == f"image/{kind}"
    assert abs(np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int) - (10, 120, 200)).max() <= (0 if kind == "png" else 3)


def test_save_png_makes_the_folder(tmp_path):
    path = tmp_path / "new" / "sheet.png"
    save_png(_solid((1, 2, 3)), path)
    assert (np.asarray(Image.open(path)) == (1, 2, 3)).all()
