"""What the compiled loops have in common: how they are compiled, and functions that LLVM can compute many at a time.

Numba keeps what it compiled beside the file of a loop, and compiles again when that file changes, not when this one does: the files
that import it name the digest of this one (`MATH`), which a test compares, so that they change with it.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast, no_type_check

import llvmlite.binding
import numba
import numpy as np
from numba.core import config

Index = np.uint64  # unsigned: no index counts from the end
Single = np.float32
ZERO, ONE, HALF, EIGHTH = Single(0), Single(1), Single(0.5), Single(0.125)
SIXTH, TWENTY_FOURTH, HUNDRED_TWENTIETH = Single(1 / 6), Single(1 / 24), Single(1 / 120)  # of the exponential's series
LOG2_E = Single(np.log2(np.e))
LARGEST_EXPONENT = Single(87)  # exp(-87) is still a normal number
EXPONENT_BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)

# Minimax polynomials, our own fits: 2^r for r in [-1/2, 1/2], relative error 1.9e-9; log(1 + t) / t for t in [0, 1], absolute
# error of log(1 + t) 7.6e-10. Float32 rounds at 6e-8.
P0, P1, P2, P3, P4, P5, P6 = (
    Single(value)
    for value in (
        1.0000000005541665,
        0.6931472057372612,
        0.2402264689062452,
        0.055503287769750984,
        0.009618488958149487,
        0.0013399931216076344,
        0.0001534581172568147,
    )
)
Q0, Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8, Q9 = (
    Single(value)
    for value in (
        0.9999998747185184,
        -0.4999934750791732,
        0.33321485857731414,
        -0.24892119766943455,
        0.1942335134556915,
        -0.14691305815982808,
        0.09691157006202612,
        -0.04884568681197334,
        0.01588540541980573,
        -0.002424624714861029,
    )
)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
SINCE_ICE_LAKE = "avx512vbmi2"  # CPUs that have it do not slow down for vectors of 512 bits; older ones do


def _widen_vectors() -> None:
    """Lets LLVM use vectors of 512 bits, which it avoids for the sake of older CPUs; NUMBA_CPU_FEATURES goes before.

    Numba has this setting for a process, not for a function, and reads it when it compiles first.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if config.CPU_FEATURES is None and features.get(SINCE_ICE_LAKE, False):
        config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"


_widen_vectors()


def compiled(*allowed: str, keep: bool = False) -> Callable[[Kernel], Kernel]:
    """Compiles a function that lets other threads run; only `allowed` liberties are taken with floating point."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", *allowed}, "cache": keep}
    return cast(Callable[[Kernel], Kernel], numba.njit(**options))


@no_type_check
@compiled()
def exp_of_minus(magnitude):
    """Returns exp(-magnitude) for a magnitude of 0 or more."""
    exponent = min(magnitude, LARGEST_EXPONENT) * -LOG2_E
    whole = np.rint(exponent)
    r = exponent - whole
    power = (((((P6 * r + P5) * r + P4) * r + P3) * r + P2) * r + P1) * r + P0
    return power * np.int32((np.int32(whole) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)


@no_type_check
@compiled()
def log_of_one_plus(t):
    """Returns log(1 + t) for t in [0, 1]."""
    return t * (((((((((Q9 * t + Q8) * t + Q7) * t + Q6) * t + Q5) * t + Q4) * t + Q3) * t + Q2) * t + Q1) * t + Q0)


@no_type_check
@compiled("nsz")
def softplus(x):
    """Returns max(x, 0) + log(1 + exp(-|x|)), which neither overflows nor cancels."""
    return max(x, ZERO) + log_of_one_plus(exp_of_minus(abs(x)))


@no_type_check
@compiled("nsz")
def logistic(x):
    """Returns 1 / (1 + exp(-x))."""
    t = exp_of_minus(abs(x))
    return (ONE if x > ZERO else t) / (ONE + t)


@no_type_check
@compiled()
def one_minus_exp_of_minus(magnitude):
    """Returns 1 - exp(-magnitude) for a magnitude of 0 or more, without cancelling where that is small."""
    series = magnitude * (ONE - magnitude * (HALF - magnitude * (SIXTH - magnitude * (TWENTY_FOURTH - magnitude * HUNDRED_TWENTIETH))))
    return series if magnitude < EIGHTH else ONE - exp_of_minus(magnitude)


@no_type_check
@compiled("nsz")
def thicken(densities, distances, shown, intervals, thickness):
    """Writes density times length of each interval of a ray."""
    for i in range(intervals):
        length = (distances[i + 1] - distances[i]) * shown
        thickness[i] = softplus((densities[i + 1] + densities[i]) * HALF - ONE) * length


@no_type_check
@compiled()
def weigh(thickness, intervals, through):
    """Writes what the intervals in front of each let through, up to behind the last one; turns thickness into how much is seen."""
    total = 0.0  # twice as wide: many small numbers are added
    for i in range(intervals):
        through[i] = total
        total += thickness[i]
    through[intervals] = total
    for i in range(intervals + 1):
        through[i] = exp_of_minus(through[i])
    for i in range(intervals):
        thickness[i] = one_minus_exp_of_minus(thickness[i]) * through[i]
