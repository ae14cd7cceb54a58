"""How good are the reconstructions: pictures and depths one by one, pictures as a distribution.

Per-image functions return one value per image; what they are averaged over is the caller's business. Values that a mask
leaves without pixels are NaN and do not count in `Mean`. Nothing here is ever rounded to 8 bits except what a feature
extractor looks at. Distribution metrics are named by their extractor: only Inception's are FID and IS.
"""

from g3dr.metrics.accumulators import Mean, Means
from g3dr.metrics.depth import depth_histogram, depth_l2_normalized, depth_rmse, flatness, non_flatness_score
from g3dr.metrics.distribution import DistributionReport, distribution_report, halved
from g3dr.metrics.features import FeatureStatistics
from g3dr.metrics.frechet import frechet_distance
from g3dr.metrics.inception_score import ClassSums, inception_score
from g3dr.metrics.kernel import KidInterval, kernel_distance, kernel_distance_interval
from g3dr.metrics.moments import Moments
from g3dr.metrics.naming import metric_title, perceptual_key
from g3dr.metrics.neighbours import PrecisionRecall, precision_recall
from g3dr.metrics.perceptual import perceptual_distance, perceptual_network
from g3dr.metrics.pictures import SimilarityTo, psnr, ssim

__all__ = [
    "ClassSums",
    "DistributionReport",
    "FeatureStatistics",
    "KidInterval",
    "Mean",
    "Means",
    "Moments",
    "PrecisionRecall",
    "SimilarityTo",
    "depth_histogram",
    "depth_l2_normalized",
    "depth_rmse",
    "distribution_report",
    "flatness",
    "frechet_distance",
    "halved",
    "inception_score",
    "kernel_distance",
    "kernel_distance_interval",
    "metric_title",
    "non_flatness_score",
    "perceptual_distance",
    "perceptual_key",
    "perceptual_network",
    "precision_recall",
    "psnr",
    "ssim",
]
