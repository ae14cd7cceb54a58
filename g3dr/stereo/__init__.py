"""Depth from two pictures: block matching of rectified pairs, and a study of which similarity errs least.

G3DR's report compares depth pictures that L1, L2 and cosine similarity give (its section 3.6 and figure 3) by eye. Here the same
comparison can be looked at for any pair, and is measured on procedural pairs whose true disparity is known.
"""

from g3dr.stereo.matching import StereoMatch, StereoOptions, match
from g3dr.stereo.measures import MEASURES, PUBLISHED, Measure, title
from g3dr.stereo.scenes import StereoPair, make_pair
from g3dr.stereo.study import Condition, StudyOptions, StudyResult, run_study
from g3dr.stereo.verdict import Standing, standings, verdict

__all__ = [
    "MEASURES",
    "PUBLISHED",
    "Condition",
    "Measure",
    "Standing",
    "StereoMatch",
    "StereoOptions",
    "StereoPair",
    "StudyOptions",
    "StudyResult",
    "make_pair",
    "match",
    "run_study",
    "standings",
    "title",
    "verdict",
]
