"""Settings from the environment, which only this module reads. docs/reference/settings.md is generated from them."""

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
# OpenTelemetry's own variables: an operator who sets one of them wants traces.
TRACING_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def _whole(about: str, default: int, low: int, high: int) -> Any:
    return setting(about, f"a whole number from {low} to {high}", default=default, ge=low, le=high)


def _seconds(about: str, default: float) -> Any:
    return setting(about, "seconds, from 0.1 to 3600", default=default, ge=0.1, le=3600)


def _cpu_count() -> int:
    # The CPUs that this process may use, not all of the machine. A container's CPU quota is not visible here.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _state_dir(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state") / "packshot"


def _computed(environ: Mapping[str, str]) -> dict[str, object]:
    tracing = any(environ.get(name, "").strip() for name in TRACING_VARIABLES)
    return {"state_dir": _state_dir(environ), "models_dir": models_folder(environ), "tracing": tracing}


class Settings(BaseModel):
    """The operator's settings, frozen. Validation covers every value, defaults included."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = setting(
        "Address to listen on. Change it to let other machines reach the service. Every address but a loopback one "
        "needs PACKSHOT_URL_SECRETS.",
        "an IP address or a host name",
        default="127.0.0.1",
        pattern=r"^[0-9A-Za-z.:_-]+$",
    )
    port: int = _whole("Port to listen on. Change it if another program uses this one.", 8000, 1, 65535)
    public_base_url: str | None = setting(
        "Public address of the service. Result links begin with it, never with the Host header of a request. Set it "
        "behind a proxy, and when callers are on other machines.",
        "a URL such as https://cutouts.example.com, without query",
        default=None,
        shown="http://HOST:PORT",
    )
    cors_origins: Origins = setting(
        "Origins of other web pages that may call the service and read its responses in a browser. Set it when your "
        "own pages use the API. `*` allows every page, and `https://*.shop.example` every host below shop.example. "
        "See docs/how-to/http.md.",
        "origins such as https://shop.example and http://localhost:3000, separated by commas, or *",
        default=(),
        shown="none",
    )
    dialects: Annotated[tuple[Literal["rembg", "photoroom", "clipdrop"], ...], ONCE_EACH, LISTED, ANY_CASE] = setting(
        "Compatible endpoints of other services to serve, each on its own path. Name those that your programs already "
        "use. See docs/how-to/from-rembg.md.",
        "any of rembg, photoroom and clipdrop, separated by commas",
        default=(),
        shown="none",
    )
    keyless_key: str | None = setting(
        "Id of the key that pays for requests without a key, on the endpoints that need none. Set it to accept such "
        "requests. Everyone who reaches the service can spend its credits, so create a separate key with its own "
        "credits and rate. See docs/how-to/from-rembg.md.",
        "an id that `packshot keys list` shows",
        default=None,
        pattern=r"^[0-9a-f]{12}$",
        shown="the key of the machine's link if only this machine can reach the service, else none",
    )
    state_dir: Path = setting(
        "Folder for accounts, results, the service's own secret and the machine's link. The link opens the page with "
        "its key, and exists only if no other machine can reach the service. Change the folder to use another disk. "
        "A missing folder is created with mode 0700.",
        "a folder that the service may write to",
        default_factory=lambda: _state_dir(os.environ),
        shown="$XDG_STATE_HOME/packshot, or ~/.local/state/packshot",
    )
    database_url: str | None = setting(
        "PostgreSQL database for accounts, credits, idempotency keys and jobs. Set it when several replicas share "
        "them. See docs/how-to/databases.md.",
        "a URL such as postgresql://USER:PASSWORD@HOST:5432/NAME, with packshot[postgresql]",
        secret=True,
        default=None,
        repr=False,
        shown="a SQLite file in the state folder",
    )
    url_secrets: Annotated[tuple[Annotated[str, Field(min_length=SECRET_CHARACTERS)], ...], LISTED] = setting(
        "Secrets that sign result links: the first signs, and all verify. To change the secret, put the new one first, "
        "and remove the old one when its last link has expired. Create one with `openssl rand -hex 32`.",
        f"secrets of at least {SECRET_CHARACTERS} characters each, separated by commas or line ends",
        secret=True,
        default=(),
        repr=False,
        shown="a secret created at the first start on a loopback address, else none",
    )
    results_url: str | None = setting(
        "Bucket that stores results. Set it when several replicas share results; without it, PACKSHOT_STATE_DIR holds "
        "them. Credentials come from the vendor's own variables: see docs/how-to/object-storage.md. Needs "
        "packshot[storage].",
        "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        default=None,
        pattern=r"^(s3|gs|az)://[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?$",
        shown="a folder in PACKSHOT_STATE_DIR",
    )
    results_delivery: Annotated[Literal["stream", "redirect"], ANY_CASE] = setting(
        "Response to a result link: the picture, or a redirect to the bucket that is valid for at most 5 minutes. "
        "Choose redirect to keep downloads off the service; redirect needs an s3:// bucket that callers can reach.",
        "stream or redirect",
        default="stream",
    )
    results_public_endpoint: str | None = setting(
        "Address of the S3 server in redirects. Set it if callers reach the server under another address than the "
        "service does.",
        "a URL such as https://s3.example.com",
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        shown="the address that the service uses",
    )
    results_sweep: bool = setting(
        "Whether the service removes expired results from the bucket: one replica lists it every hour. Turn it off if "
        "a rule of the bucket removes them. The folder is always swept.",
        "true or false",
        default=True,
    )
    results_deadline_s: float = _seconds(
        "Longest time of one request to the bucket, retries and pauses included. Raise it for a slow bucket.", 10.0
    )
    result_ttl_s: int = _whole(
        "Lifetime of a result and of its link, in seconds. Raise it if callers download later, and lower it to save "
        "space.",
        86400,
        1,
        31 * 86400,
    )
    workers: int = setting(
        "Photos processed at the same time. In a container with a CPU quota, set it to the quota.",
        "a whole number from 1 to 1024",
        default_factory=_cpu_count,
        ge=1,
        le=1024,
        shown="the number of CPUs that the process may use",
    )
    threads: int = _whole(
        "Threads of one network run. More threads make a single photo faster but do not raise throughput.", 1, 1, 256
    )
    queue_limit: int = _whole(
        "Requests that may wait for a worker. The service refuses more with 503 and a Retry-After header. Raise it if "
        "callers can wait longer.",
        32,
        0,
        100_000,
    )
    deadline_s: float = _seconds(
        "Longest time from the last byte of the request body to the response. Raise it if large photos need longer.",
        60.0,
    )
    body_deadline_s: float = _seconds(
        "Longest time for a client to send its request body. Raise it for clients with slow connections.", 30.0
    )
    idle_timeout_s: float = _seconds(
        "Longest silence on a connection, between requests or within the head of one. Raise it for clients that keep "
        "connections open.",
        5.0,
    )
    drain_s: float = _seconds(
        "Longest time to finish work in progress after the stop signal. Give your process manager a longer timeout.",
        20.0,
    )
    max_file_bytes: int = _whole(
        "Largest photo of the drop-in contract, in bytes. The contract says 3 MB. The default is its largest reading, "
        "3 x 1024 x 1024, so every file that the contract allows is accepted.",
        3 * 1024 * 1024,
        1024,
        1024**3,
    )
    min_side_px: int = _whole("Smallest side of a photo, in pixels. Raise it to reject thumbnails.", 32, 1, 65535)
    max_side_px: int = _whole(
        "Largest side of a photo of the drop-in contract, in pixels. Raise it to accept more than the contract does.",
        1999,
        1,
        65535,
    )
    v1_max_file_bytes: int = _whole(
        "Largest file under /v1, in bytes: a photo, or an option that is a file. PACKSHOT_UPLOAD_MEMORY_BYTES must "
        "have room for three such files.",
        50 * 1024 * 1024,
        1024,
        1024**3,
    )
    v1_max_pixels: int = _whole(
        "Most pixels of a photo under /v1. A photo of 50 million takes a worker 1.5 GB, and up to 2.5 GB with alpha or "
        "as AVIF. Lower it if memory is short.",
        50_000_000,
        1024,
        500_000_000,
    )
    work_memory_bytes: int = _whole(
        "Memory for work on all large photos at the same time, in bytes. The estimate is 30 to 50 bytes a pixel, and "
        "photos that need less than 400 MB do not count. A photo above the limit waits until no other large photo is "
        "in work. Set it to the memory that the machine can spare.",
        3 * 1024**3,
        1024,
        1024**4,
    )
    check_max_pixels: int = _whole(
        "Most pixels of a picture under /v1/checks. The default is the largest picture that Shopify takes. Checks cost "
        "no credit, so lower it to save work.",
        25_000_000,
        1024,
        500_000_000,
    )
    upload_memory_bytes: int = _whole(
        "Memory for the bodies of all requests together, in bytes. The service refuses a body that does not fit (503). "
        "Lower it if memory is short.",
        1024**3,
        1024,
        1024**4,
    )
    photo_cache_bytes: int = setting(
        "Memory cache for photos and mattes, in bytes; each may take half of it. With it, /v1 renders a photo again "
        "without a second upload. 0 turns the cache off. See docs/how-to/http.md.",
        f"a whole number from 0 to {1024**4}",
        default=256 * 1024**2,
        ge=0,
        le=1024**4,
    )
    url_input: Annotated[Literal["off", "https", "http"], ANY_CASE] = setting(
        "Whether the service fetches pictures from URLs in requests, and with which schemes. Turn it on to accept URLs "
        "in place of files. The addresses that it never opens are in docs/explanation/security.md. https and http need "
        "packshot[url].",
        "off, https, or http for both",
        default="off",
    )
    url_input_hosts: Hosts = setting(
        "Hosts that the service may fetch pictures from. Set it to allow only hosts that you trust. example.com allows "
        "that name alone, and .example.com also every name below it.",
        "host names separated by commas",
        default=(),
        shown="every host",
    )
    url_input_networks: Networks = setting(
        "Networks that the service may fetch pictures from, in addition to the public internet and on any port. Set it "
        "for pictures on your own machines. Callers can reach everything there that answers a GET, so name only the "
        "machines that hold pictures.",
        "networks such as 10.20.30.0/28 or fd00:1::/64, separated by commas",
        default=(),
        shown="none",
    )
    url_input_deadline_s: float = _seconds(
        "Longest time to fetch a picture from a URL, redirects included. Raise it for slow servers.", 10.0
    )
    webhooks: Annotated[Literal["off", "https", "http"], ANY_CASE] = setting(
        "Whether a finished job may send a webhook to its caller's URL, and with which schemes. Turn it on for callers "
        "that should not poll. See docs/how-to/jobs.md. https and http need packshot[url].",
        "off, https, or http for both",
        default="off",
    )
    webhook_hosts: Hosts = setting(
        "Hosts that webhooks may call, written as in PACKSHOT_URL_INPUT_HOSTS. Set it to allow only hosts that you "
        "trust.",
        "host names separated by commas",
        default=(),
        shown="every host",
    )
    webhook_networks: Networks = setting(
        "Networks that webhooks may call, in addition to the public internet and on any port. Written as in "
        "PACKSHOT_URL_INPUT_NETWORKS. Set it for an automation on your own machine.",
        "networks such as 10.20.30.0/28 or fd00:1::/64, separated by commas",
        default=(),
        shown="none",
    )
    job_photos: int = _whole(
        "Most photos in one job. Raise it for larger catalogues: the unfinished jobs of a key may hold ten times as "
        "many.",
        500,
        1,
        10_000,
    )
    job_bytes: int = _whole(
        "Most bytes of the files in one job; photos by URL do not count. Raise it for larger photos, if the disk has "
        "room for ten times as many bytes per key.",
        200 * 1024**2,
        1024,
        1024**4,
    )
    review_places: Places = setting(
        "Batch outputs to review at /review. Set it to review batches on this service; every key can reach all of "
        "them. The service must be able to read the photos at the paths in each batch's journal. "
        "See docs/how-to/review.md.",
        "names and locations such as summer=s3://shop/2026, separated by commas",
        default={},
        shown="none",
    )
    rate_limit: str | None = setting(
        "Requests that one key may send in a moving window. Set it to keep one caller from taking all capacity. A key "
        "can have its own limit instead.",
        "one limit such as 600/minute or 10/second",
        default=None,
        shown="no limit",
    )
    check_rate_limit: str | None = setting(
        "Checks that one key may request, in a separate moving window. A picture counts once for each 4 million pixels "
        "or part of them. Raise it for callers that check many pictures.",
        "one limit such as 60/minute, or none",
        default="60/minute",
    )
    rate_limit_url: str | None = setting(
        "Redis that counts requests for all replicas. Set it when several replicas share the rate limits.",
        "a URL such as redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS, with packshot[redis]",
        secret=True,
        default=None,
        repr=False,
        pattern=r"^(rediss?|unix)://.",
        shown="each process counts in its own memory",
    )
    rate_limit_away: Annotated[Literal["open", "closed"], ANY_CASE] = setting(
        "Behaviour while the Redis of PACKSHOT_RATE_LIMIT_URL does not answer. open: each process counts on its own. "
        "closed: the service refuses keys with a limit (503). Choose closed if a limit must always hold.",
        "open or closed",
        default="open",
    )
    first_credits: int | None = setting(
        "Credits of the key that is created for the machine's link. The link exists only if no other machine can reach "
        "the service. Set a number to limit the photos of this key.",
        "a whole number from 0 up",
        default=None,
        ge=0,
        le=2**53,
        shown="unlimited",
    )
    model: str | None = setting(
        "Network to use: the name of a model, or the path of an .onnx file with its card next to it. Set it to use "
        "another published model, or your own.",
        "a name that `packshot models list` shows, or a path that ends in .onnx",
        default=None,
        min_length=1,
        shown=f"the model chosen with `packshot models use`, else `{DEFAULT_MODEL}` or its eight-bit form",
    )
    device: Annotated[Literal["cpu", "cuda"], ANY_CASE] = setting(
        "Device that runs the network. Choose cuda if the machine has an NVIDIA GPU. cuda needs packshot[gpu], and the "
        "service does not start if cuda is not available.",
        "cpu or cuda",
        default="cpu",
    )
    models_dir: Path = setting(
        "Folder of the models that `packshot models download` stores. The command line and the library read it too. "
        "Change it to prepare models elsewhere, or to use another disk.",
        "a folder that the service only reads",
        default_factory=models_folder,
        shown="$XDG_DATA_HOME/packshot/models, or ~/.local/share/packshot/models",
    )
    models_url: str | None = setting(
        "Mirror for `packshot models download`, with the publisher's file names. Set it if this machine cannot reach "
        "the publisher. The service itself never downloads models.",
        "a URL, or a folder",
        default=None,
        shown="the publisher's address",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], ANY_CASE] = setting(
        "Lowest level that is logged. Choose debug to find a fault, or warning for a shorter log.",
        "debug, info, warning or error",
        default="info",
    )
    log_format: Annotated[Literal["text", "json"], ANY_CASE] = setting(
        "Format of the log on stderr: text lines for people, or one JSON object per line. Choose json if a program "
        "collects the log.",
        "text or json",
        default="text",
    )
    log_clients: bool = setting(
        "Whether to log the client address of each request. Addresses may be personal data, so turn it on only if you "
        "need them.",
        "true or false",
        default=False,
    )
    metrics_port: int | None = setting(
        "Port for Prometheus metrics, separate from PACKSHOT_PORT. Set it to collect metrics. Every path answers, "
        "without a key.",
        "a whole number from 1 to 65535",
        default=None,
        ge=1,
        le=65535,
        shown="no metrics",
    )
    metrics_host: str = setting(
        "Address of the metrics port. Change it if Prometheus runs on another machine.",
        "an IP address",
        default="127.0.0.1",
    )
    tracing: bool = setting(
        "Whether to send OpenTelemetry traces to `OTEL_EXPORTER_OTLP_ENDPOINT`. Turn it on if you run a collector. The "
        "other `OTEL_` variables apply too. Needs packshot[tracing].",
        "true or false",
        default=False,
        shown="true if `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set",
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Settings from the variables whose names begin with PACKSHOT_. An empty variable counts as not set.

        Raises
        ------
        BadSettings
            All faults, one per line: the variable, its value, the expected form and the page that explains it.
            Unknown variables are faults too. Values of secrets never appear.
        """
        return read_environment(cls, environ, computed=_computed(environ))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback_name(self.host)

    @property
    def only_here(self) -> bool:
        """Whether only people at this machine can use the service: loopback address and no public base URL.

        A public base URL means that a proxy may forward other machines' requests to the loopback address.
        """
        return self.is_loopback and self.public_base_url is None

    @property
    def base_url(self) -> str:
        """The beginning of all result links, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_base_url or f"http://{host}:{self.port}"

    @field_validator("public_base_url")
    @classmethod
    def _check_base_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            if info.data.get("host") in WILDCARDS:
                raise Fault(f"required because {variable_of('host')} is {info.data['host']}, which no link can use.")
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in value:
            raise ValueError
        return value.rstrip("/")

    @field_validator("results_delivery")
    @classmethod
    def _check_delivery(cls, value: str, info: ValidationInfo) -> str:
        if value == "redirect" and not str(info.data.get("results_url") or "").startswith("s3://"):
            raise Fault(f"redirect needs an s3:// bucket in {variable_of('results_url')}: only S3 links can be signed.")
        return value

    @field_validator("state_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        try:
            return value.expanduser().absolute()
        except RuntimeError as error:  # users in containers often have no home
            raise Fault("this user has no home folder; write an absolute path.") from error

    @field_validator("models_dir")
    @classmethod
    def _expand_models(cls, value: Path) -> Path:
        return models_folder({variable_of("models_dir"): str(value)})

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str | None) -> str | None:
        if value is not None:
            from packshot.service.database import database_url  # noqa: PLC0415 - 0.3 s, and most services need none

            database_url(value)
        return value

    @field_validator("url_secrets")
    @classmethod
    def _need_secret(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        host = info.data.get("host")
        if not value and host is not None and not is_loopback_name(host):
            reach = f"required because {variable_of('host')} is {host}, which other machines can reach."
            raise Fault(f"{reach} Create one with `openssl rand -hex 32`.")
        return value

    @field_validator("metrics_port")
    @classmethod
    def _check_metrics_port(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value == info.data.get("port"):
            raise Fault(f"the same port as {variable_of('port')}; metrics need another one.")
        return value

    @field_validator("metrics_host")
    @classmethod
    def _check_metrics_host(cls, value: str) -> str:
        return str(ipaddress.ip_address(value))

    @field_validator("max_side_px")
    @classmethod
    def _check_order(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min_side_px", 0):
            raise Fault(f"less than {variable_of('min_side_px')}, so the service would reject every photo.")
        return value

    @field_validator("upload_memory_bytes")
    @classmethod
    def _check_room(cls, value: int, info: ValidationInfo) -> int:
        largest = max(info.data.get("max_file_bytes", 0), info.data.get("v1_max_file_bytes", 0))
        needed = 3 * largest + 1024**2  # photo, background picture and touch-up, with the form's bytes between them
        if value < needed:
            raise Fault(
                f"less than {needed}, which one request may need with {variable_of('v1_max_file_bytes')} as it is."
            )
        return value

    @field_validator("rate_limit", "check_rate_limit")
    @classmethod
    def _check_rate(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value or (info.field_name == "check_rate_limit" and value.lower() == "none"):
            return None
        from packshot.service.rate_limit import parse_rate  # noqa: PLC0415 - 0.2 s, and most services need none

        parse_rate(value)
        return value
