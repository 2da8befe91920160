"""Reads a pydantic model from environment variables, and reports all faults at once.

Knows the form of the variables (PACKSHOT_ + FIELD, *_FILE for secrets), not their meaning. Callers pass the variables:
only settings.py touches the real environment.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic.config import JsonDict

from packshot.errors import BadSettings

PREFIX = "PACKSHOT_"
Model = TypeVar("Model", bound=BaseModel)


class Fault(ValueError):
    """Raised by validators, with a message for the operator. For any other ValueError, the message shows the form."""


def setting(about: str, form: str, *, shown: str = "", secret: bool = False, **field: Any) -> Any:
    """A field with its description and expected form, for messages and docs/reference/settings.md.

    shown: the text for a default that is computed. secret: also read from the variable with _FILE, and never shown.
    """
    extra: JsonDict = {"form": form, "shown": shown, "secret": secret}
    return Field(description=about, json_schema_extra=extra, validate_default=True, **field)


def words(model: type[BaseModel], name: str) -> Mapping[str, Any]:
    """The texts that `setting` stored with a field: form, shown, secret."""
    extra = model.model_fields[name].json_schema_extra
    return extra if isinstance(extra, dict) else {}


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def cannot_listen(error: OSError, host: str, port: int, *, host_setting: str, port_setting: str) -> BadSettings:
    """The error for a port that cannot be opened. Its hint names the setting to change."""
    another = f"Choose another port with {variable_of(port_setting)}"
    hint = {
        errno.EADDRINUSE: f"{another}, or stop the program that uses this one.",
        errno.EACCES: f"{another}, above 1023.",
    }.get(error.errno or 0, f"{variable_of(host_setting)} must be an address or a name of this machine.")
    return BadSettings(f"The service cannot listen on {host}:{port}: {error.strerror}.", hint=hint)


def read_environment(model: type[Model], environ: Mapping[str, str], computed: Mapping[str, Any]) -> Model:
    """Build a model from its variables. An empty variable counts as not set; `computed` holds values for that case.

    Raises
    ------
    BadSettings
        All faults, one per line, without the values of secrets.
    """
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
    faults = _unknown(model, ours)
    values, sources = dict(computed), {}
    for name in model.model_fields:
        sources[name] = variable = _source(model, name, ours)
        if variable in ours:
            try:
                values[name] = _value(variable, name, ours)
            except Fault as error:
                faults[variable] = str(error)
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        for name, why in _complaints(model, error):
            came = _came(model, name, sources[name], ours)
            faults.setdefault(sources[name], f"{came}{why} See {variable_of(name)} in the documentation.")
    if faults:
        raise BadSettings(_message(faults, environ), faults=tuple(faults))
    return made


def _source(model: type[BaseModel], name: str, ours: Mapping[str, str]) -> str:
    """The variable that holds a field: for a secret its *_FILE, if that is set."""
    file = variable_of(name) + "_FILE"
    return file if words(model, name)["secret"] and file in ours else variable_of(name)


def _value(variable: str, name: str, ours: Mapping[str, str]) -> str:
    if variable == variable_of(name):
        return ours[variable]
    if variable_of(name) in ours:
        raise Fault(f"{variable_of(name)} is also set; set only one of them.")
    try:
        text = Path(ours[variable]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Fault(f"{ours[variable]} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:  # its message would show the file's content
        raise Fault(f"{ours[variable]} is not a text file.") from None
    if not text:
        raise Fault(f"{ours[variable]} is empty.")
    return text


def _unknown(model: type[BaseModel], ours: Mapping[str, str]) -> dict[str, str]:
    """Faults for variables without a field. Otherwise a misspelt limit would silently have no effect."""
    known = [variable_of(name) for name in model.model_fields]
    known += [variable_of(name) + "_FILE" for name in model.model_fields if words(model, name)["secret"]]
    near = {name: difflib.get_close_matches(name, known, n=1) for name in ours if name not in known}
    return {
        name: "no such setting" + (f"; did you mean {found[0]}?" if found else '. See "Settings" in the documentation.')
        for name, found in near.items()
    }


def _complaints(model: type[BaseModel], error: ValidationError) -> list[tuple[str, str]]:
    """(field, message) for each error: the validator's own message if it raised a Fault, else the expected form."""
    found = []
    for fault in error.errors(include_url=False, include_input=False):
        name = str(fault["loc"][0])
        cause = fault.get("ctx", {}).get("error")
        found.append((name, str(cause) if isinstance(cause, Fault) else f"expected {words(model, name)['form']}."))
    return found


def _came(model: type[BaseModel], name: str, variable: str, ours: Mapping[str, str]) -> str:
    if variable not in ours:
        return "not set; "
    return "" if words(model, name)["secret"] else f"{ours[variable]!r}; "


def _message(faults: Mapping[str, str], environ: Mapping[str, str]) -> str:
    head = "One setting cannot be used:" if len(faults) == 1 else f"{len(faults)} settings cannot be used:"
    lines = [head, *(f"  {name}: {why}" for name, why in faults.items())]
    if "PACKSHOT_SERVICE_HOST" in environ:  # Kubernetes sets it and a dozen more for a Service named packshot
        lines.append("Kubernetes set some of them for its Service: set enableServiceLinks: false in the pod.")
    return "\n".join(lines)
