"""Procedural species: exact, repeatable, and true from every side."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from g3dr.errors import ConfigError, DataError
from g3dr.pictures import decode_depth, decode_image, decode_masks
from g3dr.procedural import ExampleId, ProceduralConfig, examples, make_example, species_name, write_folder
from g3dr.procedural.bodies import BODY_PLANS, Ellipsoids
from g3dr.procedural.camera import FIELD_OF_VIEW, FRONTAL, look_from, pixel_sight
from g3dr.procedural.dataset import view_rig
from g3dr.procedural.individuals import GROUND_EDGE, GROUND_HEIGHT, make_individual
from g3dr.procedural.rendering import render, render_novel
from g3dr.procedural.shadows import shadowed
from g3dr.procedural.species import make_species
from g3dr.procedural.tracing import trace, unit_frames

pytestmark = pytest.mark.unit

PLANS = range(len(BODY_PLANS))
TINY = ProceduralConfig(species=(1, 8), individuals=3, held_out=1, views=2, resolution=16)


def individual(species, index=0):
    return make_individual(make_species(species), index)


def with_parts(animal, centers, radii):
    """Replaces an animal's body by upright ellipsoids."""
    count = len(centers)
    body = Ellipsoids(np.array(centers, float), np.array(radii, float), np.stack([np.eye(3)] * count), np.zeros(count, np.int64))
    return replace(animal, body=body)


def outside(animal, points):
    """The least signed quantity that is negative within any solid: parts, ground, wall."""
    offsets = points[:, None] - animal.body.centers
    parts = (np.einsum("kij,nkj->nki", unit_frames(animal), offsets) ** 2).sum(-1).min(1) - 1
    place = animal.surroundings
    ground = points[:, 1] - GROUND_HEIGHT - place.slope * (points[:, 0] - GROUND_EDGE)
    return np.minimum(np.minimum(parts, ground), place.wall - points[:, 0])


def test_camera_agrees_with_the_method():
    torch = pytest.importorskip("torch")
    from g3dr.cameras import camera_rays, camera_to_world

    yaw, pitch = 1.4, 1.65
    pose = camera_to_world(torch.tensor([yaw]), torch.tensor([pitch]))
    rays = camera_rays(pose, 9)
    camera = look_from(yaw, pitch)
    assert np.abs(rays.origins[0, 0].numpy() - camera.origin).max() < 1e-5
    assert np.abs(rays.directions[0].numpy() - pixel_sight(9, 2).directions[:81] @ camera.rotation.T).max() < 1e-5


def test_depth_of_a_sphere_is_exact():
    center, radius = np.array([0.1, -0.05, 0.2]), 0.3
    animal = with_parts(individual(0), [center], [[radius] * 3])
    picture = render(animal, look_from(), 33)
    directions = pixel_sight(33, 2).directions[: 33 * 33] @ look_from().rotation.T
    along = directions @ (center - look_from().origin)
    closest = ((center - look_from().origin) ** 2).sum() - along**2
    hit = (closest < radius**2).reshape(33, 33)
    expected = (along - np.sqrt(np.maximum(radius**2 - closest, 0))).reshape(33, 33)
    assert hit.sum() > 50
    assert np.array_equal(picture.foreground, hit)
    assert np.abs(picture.depth - expected)[hit].max() < 1e-12


@pytest.mark.parametrize("species", PLANS)
@pytest.mark.parametrize("yaw", [FRONTAL, FRONTAL + 0.3])
def test_depth_is_the_first_surface_on_the_ray(species, yaw):
    animal, camera = individual(species, 2), look_from(yaw, FRONTAL - 0.08)
    sight = pixel_sight(12, 1)
    hits = trace(animal, camera, sight)
    directions = sight.directions @ camera.rotation.T
    assert np.abs(outside(animal, camera.origin + hits.distance[:, None] * directions)).max() < 1e-9
    # Marching towards the hit meets nothing solid before it.
    for share in np.linspace(0.7, 0.9999, 150):
        assert outside(animal, camera.origin + share * hits.distance[:, None] * directions).min() > -0.02


@pytest.mark.parametrize("species", PLANS)
def test_shadows_agree_with_marching_to_the_light(species):
    animal = individual(species, 1)
    hits = trace(animal, look_from(), pixel_sight(20, 1))
    points = look_from().origin + hits.distance[:, None] * hits.directions
    points = points[hits.surface == -1]
    light = animal.surroundings.light
    steps = np.linspace(0.004, 1.6, 700)
    inside = np.zeros(len(points), bool)
    for part, frame in enumerate(unit_frames(animal)):
        offsets = (points - animal.body.centers[part]) @ frame.T
        marched = offsets[:, None] + steps[:, None] * (frame @ light)
        inside |= ((marched**2).sum(-1) < 1).any(1)
    found = shadowed(animal, points)
    assert inside.any() or species == 1  # a fish's shadow may lie outside the picture
    # Marching in steps misses grazing hits.
    assert (found != inside).mean() < 0.02


def test_a_ball_shades_the_ground_below_it():
    animal = with_parts(individual(0), [[0.0, 0.3, 0.0]], [[0.2] * 3])
    animal = replace(animal, surroundings=replace(animal.surroundings, light=np.array([0.0, 1.0, 0.0])))
    points = np.array([[0.0, -0.5, 0.0], [0.19, -0.5, 0.0], [0.21, -0.5, 0.0], [0.0, 0.6, 0.0]])
    assert shadowed(animal, points).tolist() == [True, True, False, False]


@pytest.mark.parametrize("species", PLANS)
def test_the_animal_is_in_the_picture_and_in_the_box(species):
    for index in range(4):
        animal = individual(species, index)
        lower, upper = animal.body.bounds()
        assert np.abs(np.stack([lower, upper])).max() < 1
        picture = render(animal, look_from(), 24, supersampling=1)
        assert 0.02 < picture.foreground.mean() < 0.6
        assert not picture.foreground[:, [0, -1]].any()
        assert picture.depth.min() > 3.99
        assert picture.depth.max() < 6
        assert picture.rgb.std() > 0.05


@pytest.mark.parametrize("species", [0, 1, 7])
def test_the_input_view_is_a_novel_view_of_angle_zero(species):
    animal = individual(species)
    picture = render(animal, look_from(), 32)
    view = render_novel(animal, FRONTAL, FRONTAL, 32)
    assert np.array_equal(view.picture.rgb, picture.rgb)
    assert np.array_equal(view.picture.depth, picture.depth)
    assert view.covisible.all()
    assert np.array_equal(view.picture.foreground, picture.foreground)
    assert (view.in_box | ~view.picture.foreground).all()


@pytest.mark.parametrize("species", PLANS)
def test_covisible_pixels_have_the_colours_of_the_input_view(species):
    """Shadows and markings belong to the surface, so only pixel footprints and highlights differ between views."""
    animal, resolution = individual(species, 3), 96
    picture = render(animal, look_from(), resolution)
    camera = look_from(FRONTAL + 0.15, FRONTAL - 0.06)
    view = render_novel(animal, FRONTAL + 0.15, FRONTAL - 0.06, resolution)
    directions = pixel_sight(resolution, 2).directions[: resolution**2] @ camera.rotation.T
    points = camera.origin + view.picture.depth.reshape(-1, 1) * directions
    offsets = (points - look_from().origin) @ look_from().rotation
    place = offsets[:, :2] / -offsets[:, 2:] / np.tan(FIELD_OF_VIEW / 2)
    columns, rows = np.rint((place * [1, -1] + 1) / 2 * (resolution - 1)).astype(int).clip(0, resolution - 1).T
    known = view.covisible.reshape(-1)
    difference = np.abs(picture.rgb[rows, columns] - view.picture.rgb.reshape(-1, 3)).mean(1)
    copied = np.abs(picture.rgb - view.picture.rgb).mean(-1).reshape(-1)
    assert 0.5 < known.mean() < 1
    assert np.median(difference[known]) < 0.02
    assert difference[known].mean() < 0.5 * copied[known].mean()
    # And the depth that the input view shows there is the distance to the point.
    distances = np.linalg.norm(offsets, axis=1)
    assert np.median(np.abs(picture.depth[rows, columns] - distances)[known]) < 0.01
    assert (picture.depth[rows, columns] < distances - 0.02)[~known & (np.abs(place).max(1) <= 1)].mean() > 0.5


def test_names_say_body_plan_and_number():
    assert [species_name(index) for index in (0, 1, 9, 15)] == ["quadruped_00", "fish_01", "fish_09", "mushroom_15"]


def test_species_of_one_plan_differ():
    first, second = make_species(0), make_species(8)
    assert first.plan == second.plan
    assert first.texture != second.texture
    assert np.abs(first.base - second.base).max() > 0.05
    assert np.abs(make_species(0, seed=1).base - first.base).max() > 0.05


def test_the_last_individuals_are_held_out():
    found = examples(TINY)
    assert found[:4] == [ExampleId(1, 0, "train"), ExampleId(1, 1, "train"), ExampleId(1, 2, "test"), ExampleId(8, 0, "train")]
    assert len(found) == 6


def test_an_example_has_picture_depth_and_views():
    example = make_example(TINY, examples(TINY)[2])
    assert (example.key, example.species, example.split) == ("fish_01/0002", "fish_01", "test")
    assert decode_image(example.image).shape == (16, 16, 3)
    assert decode_depth(example.depth).shape == (16, 16)
    assert len(example.views) == 2
    for view in example.views:
        on_border = (abs(view.yaw - FRONTAL) / TINY.view_yaw, abs(view.pitch - FRONTAL) / TINY.view_pitch)
        assert max(on_border) == pytest.approx(1.0)
        foreground, in_box, covisible = decode_masks(view.masks)
        assert 0 < foreground.mean() < in_box.mean() <= 1
        assert 0.5 < covisible.mean() < 1
        depth = decode_depth(view.depth)
        assert depth[in_box].min() > 4
    assert make_example(TINY, examples(TINY)[0]).views == ()


def digest(config):
    return {repr(found): hashlib.sha256(repr(make_example(config, found)).encode()).hexdigest() for found in examples(config)[::-1]}


def test_examples_are_the_same_in_any_order_and_process():
    program = (
        "import hashlib, json\n"
        "from g3dr.procedural import ProceduralConfig, examples, make_example\n"
        f"config = {TINY!r}\n"
        "print(json.dumps({repr(e): hashlib.sha256(repr(make_example(config, e)).encode()).hexdigest() for e in examples(config)}))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == digest(TINY)


def test_the_seed_and_the_shadows_matter():
    first = make_example(TINY, examples(TINY)[0])
    assert make_example(replace(TINY, seed=1), examples(TINY)[0]).image != first.image
    assert make_example(replace(TINY, shadows=False), examples(TINY)[0]).image != first.image
    assert make_example(replace(TINY, shadows=False), examples(TINY)[0]).depth == first.depth


def test_a_folder_holds_pictures_depth_and_views(tmp_path):
    seen = []
    write_folder(TINY, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen[0] == (1, 6)
    assert seen[-1] == (6, 6)
    names = sorted(path.name for path in (tmp_path / "fish_01").iterdir())
    assert names == ["0000.png", "0000_depth.png", "0001.png", "0001_depth.png", "0002.png", "0002_depth.png", "0002_views.npz"]
    example = make_example(TINY, examples(TINY)[2])
    assert (tmp_path / "fish_01" / "0002.png").read_bytes() == example.image
    with np.load(tmp_path / "fish_01" / "0002_views.npz") as views:
        assert np.array_equal(views["rgb"][1], decode_image(example.views[1].image))
        assert np.array_equal(views["covisible"][0], decode_masks(example.views[0].masks)[2])
        assert views["yaw"].tolist() == [view.yaw for view in example.views]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "animals").write_text("here")
    with pytest.raises(DataError, match="cannot be written"):
        write_folder(TINY, tmp_path / "animals")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("species", ()),
        ("species", (1, 1)),
        ("species", (-1,)),
        ("individuals", 0),
        ("held_out", 200),
        ("views", -1),
        ("resolution", 3),
        ("supersampling", 0),
        ("view_yaw", 1.5),
        ("view_pitch", 0.2),
        ("seed", -1),
    ],
)
def test_wrong_values_are_refused_with_their_path(name, value):
    with pytest.raises(ConfigError) as caught:
        ProceduralConfig(**{name: value})
    assert caught.value.path == f"procedural.{name}"


def test_four_views_are_the_corners_of_their_range():
    rig = view_rig(ProceduralConfig(views=4, view_yaw=0.3, view_pitch=0.1))
    offsets = sorted((round(yaw - FRONTAL, 9), round(pitch - FRONTAL, 9)) for yaw, pitch in rig)
    assert offsets == [(-0.3, -0.1), (-0.3, 0.1), (0.3, -0.1), (0.3, 0.1)]
    assert len(set(view_rig(ProceduralConfig(views=7)))) == 7
    assert view_rig(ProceduralConfig(views=0)) == []
