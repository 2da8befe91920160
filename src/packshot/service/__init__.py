"""The async shell around the pipeline: settings, accounts, admission, results. Knows no web framework and no vendor.

It needs what packshot[service] brings: importing it raises BadSettings where something of that is missing.
"""

from importlib.util import find_spec

from packshot.errors import BadSettings

_NEEDED = (
    "alembic",
    "fastapi",
    "h11",
    "limits",
    "prometheus_client",
    "pydantic",
    "python_multipart",
    "sqlalchemy",
    "uvicorn",
)

if _missing := [name for name in _NEEDED if find_spec(name) is None]:
    raise BadSettings(
        f"The service and its keys need {', '.join(_missing)}, which the library alone does not bring.",
        hint="Install the service: pip install 'packshot[service]'.",
    )
