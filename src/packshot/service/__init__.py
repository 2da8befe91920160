"""The async shell around the pipeline: settings, accounts, admission, results. No web framework, no vendor API.

Needs the packages of packshot[service]: importing raises BadSettings if one of them is missing.
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
        f"The service and its keys need {', '.join(_missing)}, which the library alone does not install.",
        hint="Install the service: pip install 'packshot[service]'.",
    )
