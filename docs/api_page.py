"""docs/reference/api.md, made from the service's own OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docs.openapi import REFERENCE, Json, needed_schemas, own_document
from packshot.core.options import OPTIONS

ENDPOINTS = {
    "makePackshot": ("Make a packshot", "../how-to/http.md#make-a-packshot"),
    "checkPicture": ("Check a finished picture", "../how-to/http.md#check-a-finished-picture"),
    "beginJob": ("Begin a job", "../how-to/jobs.md"),
    "listJobs": ("List jobs", "../how-to/jobs.md"),
    "getJob": ("Get a job", "../how-to/jobs.md"),
    "cancelJob": ("Cancel a job", "../how-to/jobs.md"),
    "account": ("Credits and usage of a key", "../how-to/http.md#read-credits-and-limits"),
    "about": ("Options, presets and formats of a service", "../how-to/http.md#read-credits-and-limits"),
    "getResult": ("Download a result", "../how-to/http.md#get-json-instead-of-a-picture"),
    "healthz": ("Liveness probe", "../how-to/monitor.md"),
    "readyz": ("Readiness probe", "../how-to/monitor.md"),
}
"""Every native operation: its heading and the guide that uses it."""

VENDORS = {
    "Drop-in contract": "../how-to/from-the-paid-api.md",
    "remove.bg form": "removebg.md",
}
"""Tags of operations that other pages describe."""

_HEAD = """# HTTP API

These are the endpoints of the service's native API. [Call the HTTP API](../how-to/http.md) shows how to use them. A
running service describes itself at `/openapi.json`, and as a page at `/docs`.

"""

_COMMON = """
## Rules for every request

| subject | rule |
|---|---|
| key | `Authorization: Bearer KEY`, `X-Api-Key: KEY`, or the key header of another dialect |
| size of a photo | at most [PACKSHOT_V1_MAX_FILE_BYTES](settings.md#packshot_v1_max_file_bytes) and \
[PACKSHOT_V1_MAX_PIXELS](settings.md#packshot_v1_max_pixels); each side at least 32 px |
| forms | `multipart/form-data`, up to its last boundary; a form without it is refused as cut off |
| compressed bodies | refused with 415: `Content-Encoding` is not supported |
| chunked bodies | chunks of 64 bytes or more on average |
| request head | at most 200 lines and 32 KB, else 431 |
| `HEAD` | answered wherever `GET` is, except at `/api/remove` |
| slashes | doubled and trailing slashes are ignored below `/v1`, `/v1.0`, `/cutout` and `/api` |
| rate limit | keys with a limit get `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (Unix time) |
| errors | [problem details](#problem) at every path that is not a vendor's; [all errors](errors.md) |
| calls from a browser | other origins need [CORS](../how-to/http.md#call-it-from-a-web-page) |
"""

_OTHERS = """
## Other dialects

The same service, keys and credits answer clients of other services.

| paths | dialect |
|---|---|
"""

_OFF = (
    "| `/api/remove`, `/v1/segment`, `/remove-background/v1` | "
    "[rembg, Photoroom and Clipdrop](../how-to/from-rembg.md); off by default |\n"
)


def api_page() -> str:
    """The text of docs/reference/api.md."""
    return "".join(_parts(own_document()))


def _parts(document: Json) -> Iterator[str]:
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation["tags"][0] not in VENDORS and method != "head"
    ]
    yield _HEAD + "| endpoint | what it does | key |\n|---|---|---|\n"
    for name, operation in operations:
        heading = ENDPOINTS[operation["operationId"]][0]
        key = "yes" if operation.get("security") else "no"
        yield f"| `{name}` | [{heading}](#{_anchor(heading)}) | {key} |\n"
    yield _COMMON
    for name, operation in operations:
        yield from _endpoint(name, operation)
    yield "\n## Objects\n\nThe members of JSON responses.\n"
    schemas: dict[str, Json] = document["components"]["schemas"]
    responses = [operation["responses"] for _, operation in operations]
    for name in sorted(needed_schemas(schemas, responses, also=lambda name: filter(None, [_base(name, schemas)]))):
        yield from _object(name, schemas)
    yield _OTHERS
    for tag, page in VENDORS.items():
        paths = [path for path, item in document["paths"].items() if next(iter(item.values()))["tags"][0] == tag]
        more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
        yield f"| `{paths[0]}`, `{paths[1]}`{more} | [{tag}]({page}) |\n"
    yield _OFF


def _endpoint(name: str, operation: Json) -> Iterator[str]:
    heading, guide = ENDPOINTS[operation["operationId"]]
    about = operation["summary"]
    yield f"\n## {heading}\n\n`{name}`\n\n{about}{'' if about.endswith(('.', '?')) else '.'} [How to]({guide}).\n"
    fields = [*_parameters(operation), *_body(operation)]
    if fields:
        yield "\n| field | type | meaning |\n|---|---|---|\n" + "".join(fields)
    yield "\n| status | response |\n|---|---|\n"
    failures = []
    for status, answer in operation["responses"].items():
        problem = "application/problem+json" in answer.get("content", {})
        if problem or (status >= "400" and not answer.get("content")):
            failures.append(status)
        else:
            yield f"| {status} | {_answer(answer)} |\n"
    if failures:
        yield f"| {', '.join(sorted(failures))} | [problem details](#problem) |\n"
    headers = {
        name: each for answer in operation["responses"].values() for name, each in answer.get("headers", {}).items()
    }
    if headers:
        yield "\n| header of a picture | meaning |\n|---|---|\n"
        yield from (f"| `{name}` | {_text(each)} |\n" for name, each in headers.items())


def _parameters(operation: Json) -> Iterator[str]:
    for each in operation.get("parameters", []):
        needed = ", required" if each.get("required") else ""
        yield f"| `{each['name']}` | {_type(each['schema'])}, {each['in']}{needed} | {_text(each)} |\n"


def _body(operation: Json) -> Iterator[str]:
    """The fields of the forms and of the JSON body; options are on a page of their own."""
    told = set()
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        of_json = " (JSON)" if kind == "application/json" else ""
        schema = body["schema"]
        options = [name for name in schema["properties"] if name in OPTIONS]
        for name, each in schema["properties"].items():
            if (len(options) > 1 and name in OPTIONS) or name in told:
                continue
            told.add(name)
            needed = ", required" if name in schema.get("required", []) else ""
            yield f"| `{name}` | {_type(each)}{needed}{of_json} | {_text(each)} |\n"
        if len(options) > 1:
            yield "| every [option](options.md) | | How the picture is made. |\n"


def _answer(answer: Json) -> str:
    kinds = {
        kind: _type(body["schema"]) if body.get("schema") else "" for kind, body in answer.get("content", {}).items()
    }
    files = ", ".join(f"`{kind}`" for kind, schema in kinds.items() if not schema.startswith("["))
    objects = ", ".join(f"`{kind}`: {schema}" for kind, schema in kinds.items() if schema.startswith("["))
    about = "" if answer["description"] == "Successful Response" else answer["description"].rstrip(".")
    return "<br>".join(part for part in (about, objects, files) if part) or "no body"


def _object(name: str, schemas: Mapping[str, Json]) -> Iterator[str]:
    properties: Json = schemas[name].get("properties", {})
    base = _base(name, schemas)
    own = {key: each for key, each in properties.items() if base is None or key not in schemas[base]["properties"]}
    about = " ".join(schemas[name].get("description", "").split())
    also = f" It has all members of [{base}](#{base.lower()}), and:" if base else ""
    if not any(map(_text, own.values())):
        members = "; ".join(f"`{key}`: {_type(each)}" for key, each in own.items())
        yield f"\n### {name}\n\n{about} Members: {members}.\n"
        return
    yield f"\n### {name}\n\n{about}{also}\n\n| member | type | meaning |\n|---|---|---|\n"
    yield from (f"| `{key}` | {_type(each)} | {_text(each)} |\n" for key, each in own.items())


def _base(name: str, schemas: Mapping[str, Json]) -> str | None:
    """The largest other object whose members this one has too, all of them."""
    own = schemas[name].get("properties", {})
    others = [
        (len(each["properties"]), other)
        for other, each in schemas.items()
        if 4 < len(each.get("properties", {})) < len(own)
        and all(own.get(key) == member for key, member in each["properties"].items())
    ]
    return max(others)[1] if others else None


def _type(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema and len(schema["enum"]) < 12:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    words = {"binary": "file", "date-time": "time", "date": "date"}
    kind = schema.get("type", "any")
    return words.get(schema.get("format", ""), kind if isinstance(kind, str) else " or ".join(kind))


def _text(each: Json) -> str:
    text = " ".join(each.get("description", "").split())
    default = each.get("schema", each).get("default")
    return (text + (f" Default: `{default}`." if default not in (None, 0, "ok") else "")).strip().replace("|", "\\|")


def _anchor(heading: str) -> str:
    return heading.lower().replace(",", "").replace(" ", "-")
