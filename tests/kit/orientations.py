"""The eight orientations of a camera."""

from __future__ import annotations

import numpy as np

# EXIF 2.32, per value: the sides of the upright picture that hold the stored first row and first column. Each function
# turns an upright array into the stored array, in numpy's terms and not the decoder's.
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
