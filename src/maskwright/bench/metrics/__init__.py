"""How good masks are, by the definitions that papers use; each equals its reference implementation."""

from maskwright.bench.metrics.boundary import boundary_f
from maskwright.bench.metrics.camouflage import e_measure, mean_absolute_error, s_measure, weighted_f
from maskwright.bench.metrics.clicks import clicks_needed
from maskwright.bench.metrics.overlap import Overlap, summarise

__all__ = [
    "Overlap",
    "boundary_f",
    "clicks_needed",
    "e_measure",
    "mean_absolute_error",
    "s_measure",
    "summarise",
    "weighted_f",
]
