"""The eight ways a camera is held."""

from __future__ import annotations

import numpy as np

# What EXIF 2.32 says of each value: where the stored picture's first row and first column lie in the upright one.
# From an upright array, the array a camera would store, in numpy's words rather than the decoder's.
STORED = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: np.swapaxes(upright, 0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.swapaxes(np.rot90(upright, 2), 0, 1),
    8: lambda upright: np.rot90(upright, 3),
}
