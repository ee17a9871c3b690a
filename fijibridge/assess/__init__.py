"""How far segmentations agree, what they say of the microstructure, and how sure that is."""

from .agreement import Agreement, agreement, difference_map, disagreement, volume_fractions
from .boundary import BoundaryError, Surface, boundary_error
from .noise import SignalToNoise, signal_to_noise
from .particles import ParticleSizes, particle_sizes, split_particles
from .sampling import SamplingError, block_bootstrap, sampling_error
from .spread import Subtraction, sample_std, subtraction
from .surface import specific_surface
from .transport import Connectivity, connectivity, tortuosity_factor
from .uncertainty import Uncertainty, combine

__all__ = [
    "Agreement",
    "BoundaryError",
    "Connectivity",
    "ParticleSizes",
    "SamplingError",
    "SignalToNoise",
    "Subtraction",
    "Surface",
    "Uncertainty",
    "agreement",
    "block_bootstrap",
    "boundary_error",
    "combine",
    "connectivity",
    "difference_map",
    "disagreement",
    "particle_sizes",
    "sample_std",
    "sampling_error",
    "signal_to_noise",
    "specific_surface",
    "split_particles",
    "subtraction",
    "tortuosity_factor",
    "volume_fractions",
]
