"""The HTTP layer. Only this package uses vendors' names, and each vendor has its own folder or module."""

import packshot.service as _service  # noqa: F401 - first: reports what to install if a part is missing
