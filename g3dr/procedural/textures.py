"""Colours of bodies, ground and wall before any light."""

import numpy as np
from jaxtyping import Float32, Int64

from g3dr.procedural.bodies import Tissue
from g3dr.procedural.individuals import Individual
from g3dr.procedural.noise import fractal_noise, value_noise
from g3dr.procedural.species import Species, hsv_to_rgb
from g3dr.procedural.tracing import GROUND, WALL

Colors = Float32[np.ndarray, "point 3"]
Points = Float32[np.ndarray, "point 3"]


def albedo(individual: Individual, points: Points, surface: Int64[np.ndarray, "point"]) -> Colors:
    """Returns the colour of the surface at points, RGB, about 0 to 1.

    Args:
        individual: What is seen.
        points: In the world frame.
        surface: Number of the part, or ground or wall.
    """
    colors = np.empty_like(points)
    on_body = surface >= 0
    colors[on_body] = _body_colors(individual, points[on_body], surface[on_body])
    for plane in (GROUND, WALL):
        chosen = surface == plane
        colors[chosen] = _plane_colors(individual, points[chosen], plane)
    return colors


def _body_colors(individual: Individual, points: Points, parts: Int64[np.ndarray, "point"]) -> Colors:
    species, body = individual.species, individual.body
    # In the body frame, so that the markings turn and grow with the animal.
    turned = (points - body.centers[0].astype(np.float32)) @ (individual.heading / individual.size).astype(np.float32)
    base, second = individual.base.astype(np.float32), individual.second.astype(np.float32)
    colors = base + _markings(species, turned)[:, None] * (second - base)
    colors *= (0.85 + 0.3 * value_noise(turned * 28, species.texture_seed + 5))[:, None]
    return _tissue_colors(colors, second, body.tissues[parts])


def _markings(species: Species, points: Points) -> Float32[np.ndarray, "point"]:
    """Returns how much of the second colour there is, 0 to 1, at points in the body frame."""
    seed, frequency = species.texture_seed, species.frequency
    match species.texture:
        case "stripes":
            wave = np.sin(points[:, 0] * (22 * frequency) + 2.2 * value_noise(points * 5, seed) + points[:, 1] * 3)
            return np.asarray(np.clip((0.5 * wave - 0.05) * 8, 0, 1))
        case "spots":
            return np.clip((value_noise(points * (13 * frequency) + 9, seed) - 0.62) * 14, 0, 1)
        case "counter":
            return np.clip(0.35 - points[:, 1] * 3.5 + 0.3 * value_noise(points * 8, seed), 0, 1)
        case "mottle":
            return np.clip((fractal_noise(points * (6 * frequency), seed) - 0.42) * 5, 0, 1)


def _tissue_colors(colors: Colors, second: Float32[np.ndarray, "3"], tissues: Int64[np.ndarray, "point"]) -> Colors:
    """Colours marked and dark parts and eyes: tissue by tissue, colours are scaled and shifted."""
    scale = np.ones(len(Tissue), np.float32)
    shift = np.zeros((len(Tissue), 3), np.float32)
    scale[[Tissue.MARKED, Tissue.DARK, Tissue.EYE]] = 0.35, 0.3, 0.0
    shift[Tissue.MARKED], shift[Tissue.DARK], shift[Tissue.EYE] = 0.65 * second, 0.05, 0.04
    return np.asarray(colors * scale[tissues][:, None] + shift[tissues])


def _plane_colors(individual: Individual, points: Points, plane: int) -> Colors:
    place, seed = individual.surroundings, individual.species.texture_seed
    fineness, variant = (np.float32(7), 32) if plane == GROUND else (np.float32(2.5), 33)
    pattern = fractal_noise(points * fineness + place.noise_offset.astype(np.float32), seed + variant)
    if place.under_water:
        color, shade = hsv_to_rgb(0.5 + 0.12 * place.hue, 0.65, place.brightness), 0.75 + 0.5 * pattern
    elif plane == GROUND:
        color, shade = hsv_to_rgb(place.hue, 0.45, place.brightness), 0.55 + 0.9 * pattern
    else:
        color, shade = hsv_to_rgb((place.hue + 0.08) % 1, 0.25, place.brightness), 0.55 + 0.9 * pattern
    if plane == WALL:
        # Walls are darker below.
        shade = shade * (0.75 + 0.35 * (points[:, 1] + np.float32(0.7)) / 1.5)
    return shade[:, None] * color.astype(np.float32)
