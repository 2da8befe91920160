"""Pictures from URLs: allowed and forbidden addresses, and limits on responses. Against real servers."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from packshot.errors import (
    BadSettings,
    FileTooLarge,
    OutOfCredits,
    QueueFull,
    UnsupportedFormat,
    UrlFailed,
    UrlRefused,
    UrlTooSlow,
)
from packshot.service.accounts import KeyInfo
from packshot.service.metrics import Metrics
from packshot.service.settings import Settings
from packshot.service.telemetry import Telemetry
from packshot.service.tracing import Traces
from packshot.service.url_input import UrlInput
from packshot.service.url_target import Address, is_public, read_url
from tests.kit.images import good
from tests.kit.origins import chunked, heads, names
from tests.kit.scripted import Handler, Scripted, answers, cut_short, drips, hangs_up, scripted, silent
from tests.service.kit import until

PICTURE = good("png")
BOTH = ("https", "http")
HERE = "127.0.0.0/8"
# IANA's registries of special-purpose addresses, and other addresses outside the public internet.
PRIVATE_4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)
PRIVATE_6 = (
    "::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/32 "
    "2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 "
    "ff00::/8 4000::/3 8000::/1"
)
FIRST_OCTETS = st.sampled_from([octet for octet in range(1, 224) if octet not in {10, 127}])
NETWORKS_4 = [IPv4Network(each) for each in PRIVATE_4.split()]
NETWORKS_6 = [IPv6Network(each) for each in PRIVATE_6.split()]


def key(name: str = "shop", credit_count: int | None = None) -> KeyInfo:
    return KeyInfo(name, name, "active", credit_count, used=0, created_at=0, expires_at=None, last_used_at=None)


class Bringing:
    """A UrlInput with its counters, and the bytes reserved for its downloads."""

    def __init__(self, **chosen: object) -> None:
        values = {"url_input": "http", "url_input_networks": (HERE,), "workers": 1, **chosen}
        self.metrics = Metrics("none")
        self.input = UrlInput(Settings.model_validate(values), Telemetry(self.metrics, Traces()))
        self.reserved = 0

    async def fetch(self, url: str, *, max_bytes: int = 1_000_000, by: KeyInfo | None = None) -> bytes:
        def reserve(length: int) -> None:
            self.reserved += length

        return await self.input.fetch(
            url, field="image_url", hint="Send a file.", key=by or key(), max_bytes=max_bytes, reserve=reserve
        )

    def get(self, url: str, *, max_bytes: int = 1_000_000) -> bytes:
        return asyncio.run(self.fetch(url, max_bytes=max_bytes))

    def outcomes(self) -> dict[str, float]:
        found = (sample for metric in self.metrics.registry.collect() for sample in metric.samples)
        return {
            each.labels["outcome"]: each.value
            for each in found
            if each.name == "packshot_url_fetches_total" and each.value
        }


@pytest.fixture(scope="module", autouse=True)
def _few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Reading all of certifi's authorities takes 50 ms each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("none")))
        yield


@pytest.fixture
def bringing() -> Iterator[Callable[..., Bringing]]:
    made: list[Bringing] = []

    def make(**chosen: object) -> Bringing:
        made.append(Bringing(**chosen))
        return made[-1]

    yield make
    for each in made:
        each.input.close()


@pytest.fixture(scope="module")
def public_only() -> Iterator[Bringing]:
    """Opens public addresses only, over http and https; the tests that use it never connect."""
    made = Bringing(url_input_networks=())
    yield made
    made.input.close()


def hosts(network: IPv4Network | IPv6Network) -> st.SearchStrategy[Address]:
    first, last = int(network[0]), int(network[-1])
    edges = st.sampled_from((first, last, first + (last - first) // 2))
    return (st.integers(first, last) | edges).map(type(network[0]))


def spellings(address: IPv4Address) -> Iterator[str]:
    """Spellings that some resolver or parser accepts for an IPv4 address."""
    a, b, c, d = address.packed
    number = int(address)
    yield str(address)
    yield from (str(number), hex(number), oct(number).replace("0o", "0"), f"0x{number:X}")
    yield from (f"{a}.{b}.{c * 256 + d}", f"{a}.{number % 2**24}", f"{a:#x}.{b:#x}.{c:#x}.{d:#x}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:03}.{b:03}.{c:03}.{d:04}", f"{a:#x}.{number % 2**24}")
    yield str(address).translate({ord(digit): ord(digit) - ord("0") + ord("０") for digit in "0123456789"})
    yield from (str(address).replace(".", "。"), f"{address}.", f"%3{a // 100}{address}"[:9], f"[{address}]")
    yield from (f"[::ffff:{address}]", f"[::{address}]", f"[64:ff9b::{address}]", f"[64:ff9b:1::{address}]")
    yield from (f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]", f"[::ffff:0:{address}]", f"[fe80::5efe:{address}]")
    yield from (f"[2001:0:{a:02x}{b:02x}:{c:02x}{d:02x}::]", f"[2606:4700::5efe:{address}]")
    yield f"[2606:4700::200:5efe:{a:02x}{b:02x}:{c:02x}{d:02x}]"


class TestAddresses:
    @pytest.mark.slow
    @settings(max_examples=150)
    @given(st.sampled_from(NETWORKS_4).flatmap(hosts))
    def test_no_address_that_is_not_public_is_opened_however_it_is_written(self, address: Address) -> None:
        assert isinstance(address, IPv4Address)
        assert not is_public(address)
        for spelling in spellings(address):
            self._is_refused(spelling)

    @pytest.mark.slow
    @settings(max_examples=200)
    @given(st.sampled_from(NETWORKS_6).flatmap(hosts))
    def test_nor_one_of_version_6(self, address: Address) -> None:
        assert isinstance(address, IPv6Address)
        assert not is_public(address)
        for spelling in (str(address), address.exploded, str(address).upper(), f"{address}%eth0", f"{address}%25eth0"):
            self._is_refused(f"[{spelling}]")

    @staticmethod
    def _is_refused(spelling: str) -> None:
        try:
            target = read_url(f"http://{spelling}/a.png", BOTH)
        except ValueError:
            return
        assert target.address is not None, spelling  # no resolver gets what any parser reads as a number
        assert not is_public(target.address), spelling

    @given(st.builds(lambda first, rest: IPv4Address(first << 24 | rest), FIRST_OCTETS, st.integers(0, 2**24 - 1)))
    def test_every_other_address_is_public(self, address: IPv4Address) -> None:
        assume(not any(address in network for network in NETWORKS_4))
        assert is_public(address)
        assert read_url(f"http://{address}/a.png", BOTH).address == address

    @given(st.integers(int(IPv6Address("2001:200::")), int(IPv6Address("3ffe:ffff::"))).map(IPv6Address))
    def test_every_other_address_of_version_6_is_public(self, address: IPv6Address) -> None:
        assume(not any(address in network for network in NETWORKS_6))
        assume((int(address) >> 32) & 0xFDFFFFFF != 0x5EFE)
        assert is_public(address)
        assert read_url(f"https://[{address.exploded}]/", BOTH).address == address

    def test_a_zone_makes_no_address_public(self) -> None:
        assert is_public(IPv6Address("2606:4700::1111"))
        assert not is_public(IPv6Address("2606:4700::1111%eth0"))

    @settings(max_examples=40)
    @given(address=st.sampled_from([*NETWORKS_4, *NETWORKS_6]).flatmap(hosts), other=st.booleans())
    def test_a_name_with_one_such_address_is_refused_as_one_that_does_not_exist(
        self, public_only: Bringing, address: Address, other: bool
    ) -> None:
        found = ["93.184.215.14", str(address)] if other else [str(address)]
        words = set()
        with names({"inside.example": [found], "nowhere.example": [[]]}):
            for host in ("inside.example", "nowhere.example"):
                with pytest.raises(UrlRefused) as caught:
                    public_only.get(f"http://{host}/a.png")
                words.add(str(caught.value))
        assert len(words) == 1


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "read"),
        [
            ("https://example.com", "https://example.com/"),
            ("HTTPS://Example.COM/A.png?x=%2F&y=a+b#part", "https://example.com/A.png?x=%2F&y=a+b"),
            ("http://example.com:80?size=1", "http://example.com/?size=1"),
            ("https://example.com:8443/../a//b.png", "https://example.com:8443/../a//b.png"),
            ("https://xn--bcher-kva.example/ü.png", "https://xn--bcher-kva.example/%C3%BC.png"),
            ("https://a_b.example/x@y", "https://a_b.example/x@y"),
            ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
        ],
    )
    def test_what_is_asked_is_what_was_said(self, url: str, read: str) -> None:
        assert str(read_url(url, BOTH)) == read

    @given(
        st.text(max_size=40)
        | st.from_regex(r"https?://[a-z0-9.@:\[\]%\\/?#-]{0,30}", fullmatch=True)
        | st.tuples(st.sampled_from(["http://", "https://a.example", "//"]), st.text(max_size=20)).map("".join)
    )
    def test_a_url_is_refused_or_has_one_meaning(self, url: str) -> None:
        try:
            target = read_url(url, BOTH)
        except ValueError as error:
            assert str(error)
            return
        assert read_url(str(target), BOTH) == target
        text = str(target)
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set(" \\")
        assert target.host == target.host.strip(".")

    @pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "data", "javascript", "ws", "httpss", "unix", ""])
    def test_other_schemes_are_refused(self, scheme: str) -> None:
        for url in (f"{scheme}://example.com/a.png", f"{scheme}:example.com"):
            with pytest.raises(ValueError, match=r"begin with https:// or http://|data: URL"):
                read_url(url, BOTH)

    def test_http_is_opened_only_where_the_setting_says_so(self, bringing: Callable[..., Bringing]) -> None:
        with scripted() as origin:
            with pytest.raises(UrlRefused, match="https://"):
                bringing(url_input="https").get(origin.url)
            assert not origin.asked

    def test_a_long_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="4,096"):
            read_url("https://example.com/" + "a" * 4096, BOTH)


class TestRules:
    def test_off_refuses_and_says_who_can_turn_it_on(self, bringing: Callable[..., Bringing]) -> None:
        with scripted() as origin:
            with pytest.raises(UrlRefused) as caught:
                bringing(url_input="off").get(origin.url)
            assert "PACKSHOT_URL_INPUT" in caught.value.hint
            assert "Send a file." in caught.value.hint
            assert not origin.asked

    def test_a_picture_comes_as_it_is_and_its_bytes_are_counted(self, bringing: Callable[..., Bringing]) -> None:
        with scripted(answers(200, PICTURE)) as origin:
            here = bringing()
            assert here.get(f"{origin.url}/a%20b.png?token=x#part") == PICTURE
            assert here.reserved == len(PICTURE)
            assert here.outcomes() == {"ok": 1}
            (asked,) = origin.asked
            assert (asked.method, asked.path) == ("GET", "/a%20b.png?token=x")
            assert asked.headers["Host"] == origin.url.removeprefix("http://")
            assert asked.headers["Accept-Encoding"] == "identity"
            assert not {"Cookie", "Authorization", "Referer"} & set(asked.headers)

    def test_an_address_of_ones_own_needs_to_be_listed(self, bringing: Callable[..., Bringing]) -> None:
        with scripted() as origin, pytest.raises(UrlRefused):
            bringing(url_input_networks=("10.0.0.0/8",)).get(origin.url)
        assert not origin.asked

    def test_ports_are_the_usual_ones_but_for_listed_networks(self, public_only: Bringing) -> None:
        for url in ("http://93.184.215.14:22/", "http://93.184.215.14:443/", "https://93.184.215.14:80/"):
            with pytest.raises(UrlRefused, match="usual port"):
                public_only.get(url)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("listed", "host", "opened"),
        [
            ("pictures.example", "pictures.example", True),
            ("pictures.example", "cdn.pictures.example", False),
            (".pictures.example", "cdn.pictures.example", True),
            (".pictures.example", "pictures.example", True),
            (".pictures.example", "badpictures.example", False),
            ("PICTURES.example, other.example", "pictures.EXAMPLE", True),
            ("pictures.example", "127.0.0.1", False),
        ],
    )
    def test_a_list_of_hosts(self, bringing: Callable[..., Bringing], listed: str, host: str, opened: bool) -> None:
        with names({host.lower(): [["127.0.0.1"]]}) as resolver, scripted(answers(200, PICTURE)) as origin:
            here = bringing(url_input_hosts=listed)
            url = origin.url.replace("127.0.0.1", host)
            if opened:
                assert here.get(url) == PICTURE
            else:
                with pytest.raises(UrlRefused, match="not among those"):
                    here.get(url)
                assert not resolver.asked
                assert not origin.asked

    def test_a_key_without_credits_opens_nothing(self, bringing: Callable[..., Bringing]) -> None:
        with scripted() as origin, pytest.raises(OutOfCredits):
            asyncio.run(bringing().fetch(origin.url, by=key(credit_count=0)))
        assert not origin.asked

    def test_without_httpx_the_setting_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "packshot.service.url_connection", raising=False)
        monkeypatch.setitem(sys.modules, "httpcore", None)
        with pytest.raises(BadSettings) as caught:
            Bringing()
        assert "packshot[url]" in caught.value.hint


class TestSettings:
    def test_lists_are_read(self) -> None:
        environ = {"PACKSHOT_URL_INPUT": "HTTPS", "PACKSHOT_URL_INPUT_HOSTS": "a.example, .B.example"}
        read = Settings.from_environment(
            {"HOME": "/", **environ, "PACKSHOT_URL_INPUT_NETWORKS": "10.0.0.0/8,fd00::/64"}
        )
        assert (read.url_input, read.url_input_hosts) == ("https", ("a.example", ".b.example"))
        assert read.url_input_networks == ("10.0.0.0/8", "fd00::/64")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("NETWORKS", "10.0.0.1/8"), ("NETWORKS", "all"), ("HOSTS", "https://a.example"), ("HOSTS", "*.a.example")],
    )
    def test_what_is_no_network_or_name_is_a_fault(self, name: str, value: str) -> None:
        with pytest.raises(BadSettings, match=f"PACKSHOT_URL_INPUT_{name}: .* expected"):
            Settings.from_environment({"HOME": "/", f"PACKSHOT_URL_INPUT_{name}": value})


class TestConnections:
    def test_the_connection_goes_to_the_address_that_was_checked(self, bringing: Callable[..., Bringing]) -> None:
        """The name server first gives a good address, and this machine's own address on the second look-up."""
        with scripted(answers(200, PICTURE)) as origin:
            port = origin.server_address[1]
            with socket.create_server(("127.0.0.2", port)) as good_one:
                good_one.settimeout(10)
                answers_of = {"rebinding.example": [["127.0.0.2"], ["127.0.0.1"]]}
                with names(answers_of) as resolver:
                    heard = threading.Thread(target=_answer_once, args=(good_one,))
                    heard.start()
                    here = bringing(url_input_networks=("127.0.0.2/32",))
                    assert here.get(f"http://rebinding.example:{port}/") == PICTURE
                    heard.join()
                    assert resolver.asked == ["rebinding.example"]
                    with pytest.raises(UrlRefused):
                        here.get(f"http://rebinding.example:{port}/")
            assert not origin.asked

    def test_another_address_of_the_name_is_tried(self, bringing: Callable[..., Bringing]) -> None:
        with (
            scripted(answers(200, PICTURE)) as origin,
            names({"two.example": [["127.0.0.9", "127.0.0.1"]]}),
        ):
            assert bringing().get(origin.url.replace("127.0.0.1", "two.example")) == PICTURE

    def test_a_proxy_of_the_environment_is_not_asked(
        self, bringing: Callable[..., Bringing], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with scripted() as proxy, scripted(answers(200, PICTURE)) as origin:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            assert bringing().get(origin.url) == PICTURE
            assert not proxy.asked

    def test_many_addresses_are_too_many(self, bringing: Callable[..., Bringing]) -> None:
        many = [f"127.0.{number}.1" for number in range(65)]
        with names({"many.example": [many]}), pytest.raises(UrlRefused):
            bringing().get("http://many.example/")


def _answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PICTURE) + PICTURE)


class TestRedirects:
    def test_three_are_followed_to_where_they_lead(self, bringing: Callable[..., Bringing]) -> None:
        with names({"next.example": [["127.0.0.1"]]}), scripted() as origin:
            elsewhere = origin.url.replace("127.0.0.1", "next.example")
            origin.script = [
                answers(301, Location="/second"),
                answers(307, Location=elsewhere + "/third", Set_Cookie="a=b"),
                answers(303, Location="last.png?a=b#c"),
                answers(200, PICTURE),
            ]
            assert bringing().get(origin.url) == PICTURE
            assert [asked.path for asked in origin.asked] == ["/", "/second", "/third", "/last.png?a=b"]
            assert origin.asked[-1].headers["Host"] == elsewhere.removeprefix("http://")
            assert origin.asked[-1].headers["Cookie"] is None

    @pytest.mark.parametrize("location", ["/", "/other", ""])
    def test_a_fourth_is_not(self, bringing: Callable[..., Bringing], location: str) -> None:
        with scripted(*[answers(302, Location=location)] * 4) as origin, pytest.raises(UrlFailed, match="redirects"):
            bringing().get(origin.url)
        assert len(origin.asked) == 4

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "location",
        [
            "http://{0}/",
            "//{0}/",
            "http://inside.example:{1}/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::ffff:127.0.0.2]:{1}/",
            "http://user@{0}/",
            "http://127.2:{1}/",
            "file:///etc/passwd",
            "gopher://{0}/",
            "data:image/png;base64,AAAA",
            "http://[::1",
            "http:\\\\{0}\\",
        ],
    )
    def test_one_to_where_nothing_is_opened_is_refused(self, bringing: Callable[..., Bringing], location: str) -> None:
        with scripted() as origin, scripted() as inside, names({"inside.example": [["127.0.0.2"]]}):
            port = inside.server_address[1]
            origin.script = [answers(302, Location=location.format(f"127.0.0.2:{port}", port))]
            here = bringing(url_input_networks=("127.0.0.1/32",))
            with pytest.raises(UrlRefused), socket.create_server(("127.0.0.2", port)) as listener:
                listener.settimeout(0)
                here.get(origin.url)
                with pytest.raises(BlockingIOError):
                    listener.accept()
            assert here.outcomes() == {"refused": 1}


class TestAnswers:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("script", "kind", "words"),
        [
            (answers(404, PICTURE), UrlFailed, "404"),
            (answers(500), UrlFailed, "500"),
            (answers(206, PICTURE), UrlFailed, "206"),
            (answers(304), UrlFailed, "304"),
            (answers(200), UrlFailed, "no bytes"),
            (answers(200, gzip.compress(PICTURE), Content_Encoding="gzip"), UrlFailed, "Content-Encoding"),
            (answers(200, PICTURE, Content_Length=10**9), FileTooLarge, "100,000"),
            (answers(200, PICTURE, Content_Length="9" * 19), FileTooLarge, "100,000"),
            (answers(200, PICTURE, Content_Length="9" * 5000), UrlFailed, "cannot be reached, or"),
            (answers(200, bytes(100_001)), FileTooLarge, "100,000"),
            (chunked(bytes(10_000), ends=False), FileTooLarge, "100,000"),
            (chunked(b"a", ends=False), UrlFailed, "small pieces"),
            (heads(b"HTTP/1.1 103 Early Hints\r\n\r\n", 10_000_000), UrlFailed, "cannot be reached, or"),
            (heads(b"HTTP/1.1 200 OK\r\n", 1, b"X: a\r\n" * 10_000), UrlFailed, "cannot be reached, or"),
            (cut_short, UrlFailed, "cannot be reached, or"),
            (hangs_up, UrlFailed, "cannot be reached, or"),
            (
                answers(200, b"<!doctype html><title>Log in</title>", Content_Type="image/png"),
                UnsupportedFormat,
                "HTML",
            ),
            (answers(200, b"a secret of the machine behind"), UnsupportedFormat, "text"),
            (answers(200, PICTURE, Transfer_Encoding="nonsense"), UrlFailed, "cannot be reached, or"),
        ],
    )
    def test_an_answer_that_will_not_do_is_said_and_not_shown(
        self, bringing: Callable[..., Bringing], script: Callable[[Handler], None], kind: type, words: str
    ) -> None:
        with scripted(script) as origin:
            here = bringing()
            with pytest.raises(kind, match=words) as caught:
                here.get(f"{origin.url}/?token=a-secret", max_bytes=100_000)
            said = f"{caught.value} {caught.value.fields}"
            assert "image_url" in said
            assert "secret" not in said
            assert "127.0.0.1" not in said
            assert here.reserved <= 100_000
            assert sum(here.outcomes().values()) == 1

    def test_a_picture_of_another_type_than_it_says_is_one_all_the_same(
        self, bringing: Callable[..., Bringing]
    ) -> None:
        with scripted(answers(200, PICTURE, Content_Type="text/html")) as origin:
            assert bringing().get(origin.url) == PICTURE

    def test_an_interim_answer_is_passed_over(self, bringing: Callable[..., Bringing]) -> None:
        last = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PICTURE) + PICTURE
        with scripted(heads(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 2, last)) as origin:
            assert bringing().get(origin.url) == PICTURE

    def test_pieces_of_the_usual_size_are_taken(self, bringing: Callable[..., Bringing]) -> None:
        data = PICTURE + bytes(200_000)
        with scripted(chunked(*[data[at : at + 100] for at in range(0, len(data), 100)])) as origin:
            assert bringing().get(origin.url) == data

    @pytest.mark.parametrize("script", [silent, drips])
    def test_one_deadline_ends_it_all(
        self, bringing: Callable[..., Bringing], script: Callable[[Handler], None]
    ) -> None:
        with scripted(script) as origin:
            here = bringing(url_input_deadline_s=0.2)
            with pytest.raises(UrlTooSlow, match="in time"):
                here.get(origin.url)
            assert here.outcomes() == {"timeout": 1}

    def test_redirects_do_not_prolong_it(self, bringing: Callable[..., Bringing]) -> None:
        with scripted(answers(302, Location="/a"), answers(302, Location="/b"), silent) as origin:
            with pytest.raises(UrlTooSlow):
                bringing(url_input_deadline_s=0.3).get(origin.url)
            assert len(origin.asked) == 3

    def test_a_port_where_nobody_listens_is_told_as_any_other_failure(self, bringing: Callable[..., Bringing]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(UrlFailed, match="cannot be reached, or"):
            bringing().get(f"http://127.0.0.1:{port}/")


class TestBounds:
    def test_a_name_server_that_does_not_answer_holds_its_callers_slots_and_no_one_elses(
        self, bringing: Callable[..., Bringing], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """10 slots with one worker, 7 of them for one key. A look-up cannot be stopped: it keeps its slot until it
        ends.
        """
        answered, system = threading.Event(), socket.getaddrinfo

        def resolve(host: str, *args: object, **kwargs: object) -> object:
            if host == "slow.example":
                answered.wait(20)
                raise socket.gaierror
            return system(host, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

        async def run() -> None:
            here = bringing(url_input_deadline_s=0.1)
            slow = [here.fetch("http://slow.example/") for _ in range(7)]
            ended = await asyncio.gather(*slow, return_exceptions=True)
            assert {type(each) for each in ended} == {UrlTooSlow}
            with pytest.raises(QueueFull):
                await here.fetch(origin.url)
            assert await here.fetch(origin.url, by=key("other")) == PICTURE
            answered.set()

            here.input.guard.lookups.shutdown()  # all look-ups have ended
            assert await here.fetch(origin.url) == PICTURE
            assert here.outcomes() == {"timeout": 7, "ok": 2, "busy": 1}

        with scripted(answers(200, PICTURE), answers(200, PICTURE)) as origin:
            asyncio.run(run())

    def test_all_keys_together_have_an_end_and_one_that_leaves_makes_room(
        self, bringing: Callable[..., Bringing]
    ) -> None:
        async def run() -> None:
            here = bringing()
            waiting = [
                asyncio.ensure_future(here.fetch(origin.url, by=key(f"shop {number % 5}"))) for number in range(10)
            ]
            await until(lambda: len(origin.asked) == 10)
            with pytest.raises(QueueFull):
                await here.fetch(origin.url, by=key("another"))
            waiting[0].cancel()
            await asyncio.gather(waiting[0], return_exceptions=True)
            origin.script.append(answers(200, PICTURE))
            assert await here.fetch(origin.url, by=key("another")) == PICTURE
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert here.outcomes() == {"busy": 1, "ok": 1, "abandoned": 10}

        with scripted(*[silent] * 10) as origin:
            asyncio.run(run())


CONFIGURATION = """[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, ca.pem, and server certificates.

    The authority signed named.pem for pictures.example, other.pem for another name, and numbered.pem for 127.0.0.1.
    own.pem is self-signed, for the right name.
    """
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("authority")
    (folder / "req.cnf").write_text(CONFIGURATION)

    def make(name: str, section: str, *more: str) -> None:
        command = ["openssl", "req", "-x509", "-config", "req.cnf", "-nodes", "-days", "2"]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={name}"]
        command += ["-extensions", section, "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*command, *more], cwd=folder, check=True, capture_output=True)

    make("ca", "authority")
    for name, subject in {
        "named": "DNS:pictures.example",
        "other": "DNS:x.example",
        "numbered": "IP:127.0.0.1",
    }.items():
        make(name, "server", "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName={subject}")
    make("own", "server", "-addext", "subjectAltName=DNS:pictures.example")
    return folder


@contextmanager
def over_tls(origin: Scripted, folder: Path, name: str) -> Iterator[list[str | None]]:
    """Let a server speak TLS with a certificate; yields the names that clients request."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.sni_callback = lambda _socket, server_name, _context: asked.append(server_name)
    origin.socket = context.wrap_socket(origin.socket, server_side=True, do_handshake_on_connect=False)
    yield asked


class TestTls:
    @pytest.fixture
    def here(
        self, authority: Path, monkeypatch: pytest.MonkeyPatch, bringing: Callable[..., Bringing]
    ) -> Iterator[Bringing]:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
        with names({"pictures.example": [["127.0.0.1"]]}):
            yield bringing(url_input="https")

    @staticmethod
    def url(origin: Scripted, host: str = "pictures.example") -> str:
        return f"https://{host}:{origin.server_address[1]}/a.png"

    def test_the_name_is_what_the_certificate_is_checked_against(self, here: Bringing, authority: Path) -> None:
        with scripted(answers(200, PICTURE)) as origin, over_tls(origin, authority, "named") as asked:
            assert here.get(self.url(origin)) == PICTURE
            assert asked == ["pictures.example"]
            assert origin.asked[0].headers["Host"] == f"pictures.example:{origin.server_address[1]}"

    def test_an_address_in_the_url_is_checked_as_an_address(self, here: Bringing, authority: Path) -> None:
        with scripted(answers(200, PICTURE)) as origin, over_tls(origin, authority, "numbered"):
            assert here.get(self.url(origin, "127.0.0.1")) == PICTURE

    @pytest.mark.parametrize("certificate", ["other", "numbered", "own"])
    def test_a_certificate_for_something_else_ends_it(self, here: Bringing, authority: Path, certificate: str) -> None:
        with (
            scripted(answers(200, PICTURE)) as origin,
            over_tls(origin, authority, certificate),
            pytest.raises(UrlFailed, match="certificate is not valid"),
        ):
            here.get(self.url(origin))
        assert not origin.asked

    def test_without_the_authority_nothing_is_trusted(self, authority: Path, bringing: Callable[..., Bringing]) -> None:
        with (
            names({"pictures.example": [["127.0.0.1"]]}),
            scripted(answers(200, PICTURE)) as origin,
            over_tls(origin, authority, "named"),
            pytest.raises(UrlFailed, match="certificate is not valid"),
        ):
            bringing(url_input="https").get(self.url(origin))

    def test_a_redirect_from_https_to_http_is_refused(self, here: Bringing, authority: Path) -> None:
        with scripted() as plain, scripted(answers(302, Location=plain.url)) as origin:
            with over_tls(origin, authority, "named"), pytest.raises(UrlRefused, match="https://"):
                here.get(self.url(origin))
            assert not plain.asked
