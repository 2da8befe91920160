"""HTTP. The only room with vendors' names in it, each in a folder of its own."""

import packshot.service as _service  # noqa: F401 - first: it says what to install where a part is missing
