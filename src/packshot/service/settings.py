"""One Settings object, and the only module that reads the environment. docs/settings.md is made from this class."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from packshot.engine.weights import DEFAULT_MODEL, models_folder
from packshot.service.environment import Fault, read_environment, setting, variable_of
from packshot.service.setting_types import (
    ANY_CASE,
    LISTED,
    ONCE_EACH,
    Hosts,
    Networks,
    Origins,
    Places,
    is_loopback_name,
)

SECRET_CHARACTERS = 32
# Standard names, not ours: whoever sets one wants traces.
TRACING_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def _whole(about: str, default: int, low: int, high: int) -> Any:
    return setting(about, f"a whole number from {low} to {high}", default=default, ge=low, le=high)


def _seconds(about: str, default: float) -> Any:
    return setting(about, "seconds, from 0.1 to 3600", default=default, ge=0.1, le=3600)


def _cpu_count() -> int:
    # The CPUs that this process may use, not those of the machine. A container's CPU quota does not show here.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _state_dir(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state") / "packshot"


def _computed(environ: Mapping[str, str]) -> dict[str, object]:
    tracing = any(environ.get(name, "").strip() for name in TRACING_VARIABLES)
    return {"state_dir": _state_dir(environ), "models_dir": models_folder(environ), "tracing": tracing}


class Settings(BaseModel):
    """What an operator can choose. Frozen; every value is checked when it is made, defaults too."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = setting(
        "Address to listen on. Any but a loopback address needs PACKSHOT_URL_SECRETS.",
        "an IP address or a host name",
        default="127.0.0.1",
        pattern=r"^[0-9A-Za-z.:_-]+$",
    )
    port: int = _whole("Port to listen on.", 8000, 1, 65535)
    public_base_url: str | None = setting(
        "Address under which callers reach the service: result links begin with it, never with what a request says.",
        "a URL such as https://cutouts.example.com, without query",
        default=None,
        shown="http://HOST:PORT",
    )
    cors_origins: Origins = setting(
        "Origins of other web pages that may call the service and read its answers in a browser: docs/api.md. `*` is "
        "every page, `https://*.shop.example` every host below that one.",
        "origins such as https://shop.example and http://localhost:3000, separated by commas, or *",
        default=(),
        shown="none",
    )
    dialects: Annotated[tuple[Literal["rembg", "photoroom", "clipdrop"], ...], ONCE_EACH, LISTED, ANY_CASE] = setting(
        "Forms of other services that are served beside the API's own, each on its own path: docs/doors.md.",
        "any of rembg, photoroom and clipdrop, separated by commas",
        default=(),
        shown="none",
    )
    keyless_key: str | None = setting(
        "Id of the key that counts and pays requests without a key, where a form has none: docs/doors.md. "
        "Everybody who reaches the service can spend it, so make one with credits and a rate of its own.",
        "an id that `packshot keys list` shows",
        default=None,
        pattern=r"^[0-9a-f]{12}$",
        shown="where only this machine reaches the service, the key of its link; elsewhere none",
    )
    state_dir: Path = setting(
        "Folder for accounts, results, the service's own secret and, where only this machine reaches the service, the "
        "link that opens the page with its key. It is made with mode 0700 when it is missing.",
        "a folder that the service may write to",
        default_factory=lambda: _state_dir(os.environ),
        shown="$XDG_STATE_HOME/packshot, or ~/.local/state/packshot",
    )
    database_url: str | None = setting(
        "PostgreSQL database of accounts, credits and idempotency, for several replicas: docs/databases.md.",
        "a URL such as postgresql://USER:PASSWORD@HOST:5432/NAME, with packshot[postgresql]",
        secret=True,
        default=None,
        repr=False,
        shown="a SQLite file in the state folder",
    )
    url_secrets: Annotated[tuple[Annotated[str, Field(min_length=SECRET_CHARACTERS)], ...], LISTED] = setting(
        "Secrets that sign result links. The first signs, all verify: to change it, put the new one in front, and drop "
        "the old one when its last link has expired. Make one with `openssl rand -hex 32`.",
        f"secrets of at least {SECRET_CHARACTERS} characters each, separated by commas or line ends",
        secret=True,
        default=(),
        repr=False,
        shown="on a loopback address made at the first start; none elsewhere",
    )
    results_url: str | None = setting(
        "Bucket that keeps results, for several replicas; without it they lie in PACKSHOT_STATE_DIR. Credentials come "
        "from the vendor's own variables: docs/results.md names them. Needs packshot[storage].",
        "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        default=None,
        pattern=r"^(s3|gs|az)://[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?$",
        shown="the folder",
    )
    results_delivery: Annotated[Literal["stream", "redirect"], ANY_CASE] = setting(
        "How a result link is answered: with the picture, or with a redirect to the bucket, for as long as 5 minutes. "
        "redirect needs an s3:// bucket that callers can reach.",
        "stream or redirect",
        default="stream",
    )
    results_public_endpoint: str | None = setting(
        "Address of the S3 server as callers reach it, for redirects, where the service itself uses another.",
        "a URL such as https://s3.example.com",
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        shown="the one that the service uses",
    )
    results_sweep: bool = setting(
        "Remove expired results from the bucket: one of the replicas lists it each hour. Turn it off where a rule of "
        "the bucket does it; the folder is always swept.",
        "true or false",
        default=True,
    )
    results_deadline_s: float = _seconds("Longest time of one request to the bucket, tries and waits included.", 10.0)
    result_ttl_s: int = _whole("Life of a result and of its link, in seconds.", 86400, 1, 31 * 86400)
    workers: int = setting(
        "Photos that are computed at the same time. In a container with a CPU quota, set it to the quota.",
        "a whole number from 1 to 1024",
        default_factory=_cpu_count,
        ge=1,
        le=1024,
        shown="the number of CPUs that the process may use",
    )
    threads: int = _whole("Threads of one network run. More than 1 helps a single user, not throughput.", 1, 1, 256)
    queue_limit: int = _whole("Requests that may wait for a worker; the next is asked to come again.", 32, 0, 100_000)
    deadline_s: float = _seconds("Longest time from the body's last byte to the answer.", 60.0)
    body_deadline_s: float = _seconds("Longest time that a client may take to send its body.", 30.0)
    idle_timeout_s: float = _seconds("Longest silence of a connection, between requests or within a head.", 5.0)
    drain_s: float = _seconds("Longest time that work in flight may take after the signal to stop.", 20.0)
    max_file_bytes: int = _whole(
        "Largest photo in bytes. The contract says 3 MB, which is read as 3 x 1024 x 1024, the largest of its "
        "readings: no file is refused that the contract lets in.",
        3 * 1024 * 1024,
        1024,
        1024**3,
    )
    min_side_px: int = _whole("Shortest side that a photo may have.", 32, 1, 65535)
    max_side_px: int = _whole("Longest side that a photo may have.", 1999, 1, 65535)
    v1_max_file_bytes: int = _whole(
        "Largest file in bytes under /v1: a photo, and each option that is a file.", 50 * 1024 * 1024, 1024, 1024**3
    )
    v1_max_pixels: int = _whole(
        "Most pixels of a photo under /v1. One of 50 million takes a worker 1.5 GB, and up to 2.5 GB with alpha or as "
        "an AVIF.",
        50_000_000,
        1024,
        500_000_000,
    )
    work_memory_bytes: int = _whole(
        "Bytes that work on large photos may take at the same time, by an estimate of 30 to 50 bytes a "
        "pixel; what is below 400 MB each is not counted. One that needs more than all of it runs alone.",
        3 * 1024**3,
        1024,
        1024**4,
    )
    check_max_pixels: int = _whole(
        "Most pixels of a picture under /v1/checks, which cost no credit: the largest that Shopify takes.",
        25_000_000,
        1024,
        500_000_000,
    )
    upload_memory_bytes: int = _whole(
        "Bytes of request bodies that are held at the same time, over all requests; a body too many is refused (503).",
        1024**3,
        1024,
        1024**4,
    )
    photo_cache_bytes: int = setting(
        "Bytes of photos and mattes that are kept in memory, each up to half of it, so that a photo of /v1 is rendered "
        "again in a moment: docs/api.md. 0 keeps none.",
        f"a whole number from 0 to {1024**4}",
        default=256 * 1024**2,
        ge=0,
        le=1024**4,
    )
    url_input: Annotated[Literal["off", "https", "http"], ANY_CASE] = setting(
        "Whether pictures are brought from URLs that callers give, and from which. What is opened, and what never is, "
        "says docs/security.md. https and http need packshot[url].",
        "off, https, or http for both",
        default="off",
    )
    url_input_hosts: Hosts = setting(
        "Hosts that such URLs may name: example.com is that name alone, .example.com also every name below it.",
        "names separated by commas",
        default=(),
        shown="every host",
    )
    url_input_networks: Networks = setting(
        "Networks that such URLs may lead to beside the public internet, on any port: for pictures on machines of your "
        "own. Every caller reaches whatever answers to a GET there, so name no more than the machines that keep "
        "pictures.",
        "networks such as 10.20.30.0/28 or fd00:1::/64, separated by commas",
        default=(),
        shown="none",
    )
    url_input_deadline_s: float = _seconds(
        "Longest time from such a URL to the last byte of its picture, redirects included.", 10.0
    )
    webhooks: Annotated[Literal["off", "https", "http"], ANY_CASE] = setting(
        "Whether jobs may tell an address of their caller's that they have finished, and of which kind: docs/jobs.md. "
        "https and http need packshot[url].",
        "off, https, or http for both",
        default="off",
    )
    webhook_hosts: Hosts = setting(
        "Hosts that webhooks may go to, as in PACKSHOT_URL_INPUT_HOSTS.",
        "names separated by commas",
        default=(),
        shown="every host",
    )
    webhook_networks: Networks = setting(
        "Networks that webhooks may go to beside the public internet, on any port, as in PACKSHOT_URL_INPUT_NETWORKS: "
        "for an automation on a machine of your own.",
        "networks such as 10.20.30.0/28 or fd00:1::/64, separated by commas",
        default=(),
        shown="none",
    )
    job_photos: int = _whole("Most photos of one job.", 500, 1, 10_000)
    job_bytes: int = _whole(
        "Most bytes of the files that one job is sent with; photos by URL do not count.",
        200 * 1024**2,
        1024,
        1024**4,
    )
    review_places: Places = setting(
        "Outputs of batches that are reviewed at /review: docs/review.md. Every key of the service reaches all of "
        "them. The photos are where the batch's journal says, and must be in reach of the service.",
        "names and places such as summer=s3://shop/2026, separated by commas",
        default={},
        shown="none",
    )
    rate_limit: str | None = setting(
        "Requests that one key may send, over a moving window; a key may have a limit of its own instead.",
        "one limit such as 600/minute or 10/second",
        default=None,
        shown="no limit",
    )
    check_rate_limit: str | None = setting(
        "Checks that one key may ask for, over a moving window of their own. A picture counts once for each 4 million "
        "pixels or part of them.",
        "one limit such as 60/minute, or none",
        default="60/minute",
    )
    rate_limit_url: str | None = setting(
        "Redis that counts requests for all replicas.",
        "a URL such as redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS, with packshot[redis]",
        secret=True,
        default=None,
        repr=False,
        pattern=r"^(rediss?|unix)://.",
        shown="each process counts for itself, in its memory",
    )
    rate_limit_away: Annotated[Literal["open", "closed"], ANY_CASE] = setting(
        "What happens while that Redis does not answer. open: each process counts for itself. closed: keys with a "
        "limit are refused (503).",
        "open or closed",
        default="open",
    )
    first_credits: int | None = setting(
        "Credits of the key that is made for the link that opens the page, where only this machine reaches the "
        "service.",
        "a whole number from 0 up",
        default=None,
        ge=0,
        le=2**53,
        shown="no end of them",
    )
    model: str | None = setting(
        "The network: the name of a model, or the path of an .onnx file with its card beside it.",
        "a name that `packshot models list` shows, or a path that ends in .onnx",
        default=None,
        min_length=1,
        shown=f"the one that `packshot models use` chose, else `{DEFAULT_MODEL}` or its eight-bit form",
    )
    device: Annotated[Literal["cpu", "cuda"], ANY_CASE] = setting(
        "Where the network runs. cuda needs packshot[gpu]; where it cannot run, the service does not start.",
        "cpu or cuda",
        default="cpu",
    )
    models_dir: Path = setting(
        "Folder of the models that `packshot models download` brings; command line and library look there too.",
        "a folder, which the service only reads",
        default_factory=models_folder,
        shown="$XDG_DATA_HOME/packshot/models, or ~/.local/share/packshot/models",
    )
    models_url: str | None = setting(
        "Mirror that `packshot models download` brings models from, by the publisher's file names. "
        "The service itself brings none.",
        "a URL, or a folder",
        default=None,
        shown="the publisher's address",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], ANY_CASE] = setting(
        "Least level that is logged.", "debug, info, warning or error", default="info"
    )
    log_format: Annotated[Literal["text", "json"], ANY_CASE] = setting(
        "Form of the log on stderr: lines for people, or a JSON object a line.", "text or json", default="text"
    )
    log_clients: bool = setting(
        "Log the address that each request came from. It may be personal data.", "true or false", default=False
    )
    metrics_port: int | None = setting(
        "Port for Prometheus, apart from the callers' one. Any path answers; there is no key.",
        "a whole number from 1 to 65535",
        default=None,
        ge=1,
        le=65535,
        shown="no metrics are served",
    )
    metrics_host: str = setting("Address that the metrics' port listens on.", "an IP address", default="127.0.0.1")
    tracing: bool = setting(
        "Send OpenTelemetry traces where `OTEL_EXPORTER_OTLP_ENDPOINT` says; needs packshot[tracing]. The other "
        "`OTEL_` variables count too.",
        "true or false",
        default=False,
        shown="true when `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set",
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Settings from the variables whose names begin with PACKSHOT_. An empty variable counts as not set.

        Raises
        ------
        BadSettings
            Every fault at once, a line each: the variable, what came, what is expected and where it is explained.
            Unknown variables are faults too. Secrets are never shown.
        """
        return read_environment(cls, environ, computed=_computed(environ))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback_name(self.host)

    @property
    def only_here(self) -> bool:
        """Whether it is for the people at this machine: no other reaches it, and nothing says that a proxy is in front.

        Behind a proxy a loopback address is open to whomever that lets in, and result links need its public address.
        """
        return self.is_loopback and self.public_base_url is None

    @property
    def base_url(self) -> str:
        """What result links begin with; no slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_base_url or f"http://{host}:{self.port}"

    @field_validator("public_base_url")
    @classmethod
    def _check_base_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            if info.data.get("host") in WILDCARDS:
                raise Fault(f"needed because {variable_of('host')} is {info.data['host']}, where no link can lead.")
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in value:
            raise ValueError
        return value.rstrip("/")

    @field_validator("results_delivery")
    @classmethod
    def _check_delivery(cls, value: str, info: ValidationInfo) -> str:
        if value == "redirect" and not str(info.data.get("results_url") or "").startswith("s3://"):
            raise Fault(f"redirect needs an s3:// bucket in {variable_of('results_url')}: nothing else signs links.")
        return value

    @field_validator("state_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        try:
            return value.expanduser().absolute()
        except RuntimeError as error:  # a container's user often has none
            raise Fault("this user has no home folder; name a folder.") from error

    @field_validator("models_dir")
    @classmethod
    def _expand_models(cls, value: Path) -> Path:
        return models_folder({variable_of("models_dir"): str(value)})

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str | None) -> str | None:
        if value is not None:
            from packshot.service.database import database_url  # noqa: PLC0415 - 0.3 s, and most need none

            database_url(value)
        return value

    @field_validator("url_secrets")
    @classmethod
    def _need_secret(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        host = info.data.get("host")
        if not value and host is not None and not is_loopback_name(host):
            reach = f"needed because {variable_of('host')} is {host}, which other machines can reach."
            raise Fault(f"{reach} Make one with `openssl rand -hex 32`.")
        return value

    @field_validator("metrics_port")
    @classmethod
    def _check_metrics_port(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value == info.data.get("port"):
            raise Fault(f"the service's own, {variable_of('port')}; metrics need another.")
        return value

    @field_validator("metrics_host")
    @classmethod
    def _check_metrics_host(cls, value: str) -> str:
        return str(ipaddress.ip_address(value))

    @field_validator("max_side_px")
    @classmethod
    def _check_order(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min_side_px", 0):
            raise Fault(f"less than {variable_of('min_side_px')}, so that no photo would be accepted.")
        return value

    @field_validator("upload_memory_bytes")
    @classmethod
    def _check_room(cls, value: int, info: ValidationInfo) -> int:
        largest = max(info.data.get("max_file_bytes", 0), info.data.get("v1_max_file_bytes", 0))
        needed = 3 * largest + 1024**2  # a photo, a background picture and a touch-up, with what lies between them
        if value < needed:
            raise Fault(
                f"less than {needed}: with {variable_of('v1_max_file_bytes')} as it is, a request may never fit."
            )
        return value

    @field_validator("rate_limit", "check_rate_limit")
    @classmethod
    def _check_rate(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value or (info.field_name == "check_rate_limit" and value.lower() == "none"):
            return None
        from packshot.service.rate_limit import parse_rate  # noqa: PLC0415 - 0.2 s, and most need none

        parse_rate(value)
        return value
