"""Result links: traversal, forgery, and invented hosts."""

from __future__ import annotations

from urllib.parse import urlsplit

from packshot.service.results import new_result_id
from tests.contract.envelope import success_path, success_url
from tests.faults.proof import Place, proof
from tests.faults.sockets import exchange, statuses
from tests.kit.images import good
from tests.kit.server import ENDPOINT, multipart

TRAVERSALS = (
    "/results/../accounts.sqlite3",
    "/results/..%2faccounts.sqlite3",
    "/results/%2e%2e/accounts.sqlite3",
    "/results/..%5caccounts.sqlite3",
    "/results/%252e%252e%252faccounts.sqlite3",
    "/results/....//accounts.sqlite3",
    "/results//etc/passwd",
    "/results/%00",
    "/results/..%00.png",
    "/results/%c0%ae%c0%ae/accounts.sqlite3",
    "/results/incoming/x.png",
    "//accounts.sqlite3",
    "/results/url-secret",
    "/page/../../../etc/passwd",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
)


@proof("abuse", f"path traversal, {len(TRAVERSALS)} ways, as raw targets", "403 or 404; no byte of a file")
def traversal(place: Place) -> str:
    for target in TRAVERSALS:
        for query in ("", "?expires=9999999999&signature=" + "A" * 43):
            sent = f"GET {target}{query} HTTP/1.1\r\nHost: packshot\r\nConnection: close\r\n\r\n".encode()
            answer = exchange(place.running.address, sent)
            assert statuses(answer)[0] in {400, 403, 404}, f"{target}: {answer[:200]!r}"
            for leak in (b"root:", b"SQLite format", str(place.running.service.settings.state_dir).encode()):
                assert leak not in answer, target
    return f"{2 * len(TRAVERSALS)} refused"


@proof("abuse", "forged signatures: every character, other ids, later expiry", "403, whatever exists or not")
def forgery(place: Place) -> str:
    path = success_path(place.running.send(good("jpeg")))
    name, _, query = path.removeprefix("/cutout/results/").partition("?")
    expires, signature = (pair.partition("=")[2] for pair in query.split("&"))
    links = [(name, expires, signature[:at] + _other(signature[at]) + signature[at + 1 :]) for at in range(43)]
    links += [(name, expires, signature[:-1]), (name, expires, ""), (name, expires, signature + "="), (name, "", "")]
    links += [(name, str(int(expires) + 1), signature), (name, f"0{expires}", signature), (name, "1e11", signature)]
    links += [(f"{new_result_id()}.png", expires, signature), (name.replace(".png", ".jpg"), expires, signature)]
    links += [(name, f"{expires}&expires={int(expires) + 9}", signature)]
    for each, until, signed in links:
        answer = place.running.http.get(f"/results/{each}?expires={until}&signature={signed}")
        assert answer.status_code == 403, f"{each} {until} {signed}: {answer.status_code}"
    assert place.running.http.get(path).status_code == 200
    return f"{len(links)} x 403, and the true link still leads to its picture"


def _other(character: str) -> str:
    return "B" if character == "A" else "A"


@proof("abuse", "Host, X-Forwarded-Host and absolute targets of a stranger", "links lead to the service's own address")
def made_up_hosts(place: Place) -> str:
    body, kind = multipart("image", good("jpeg"))
    own = urlsplit(place.running.base_url)
    tricks = {
        "Host: evil.example": ENDPOINT,
        f"Host: {own.netloc}\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example": ENDPOINT,
        "Host: evil.example@packshot": ENDPOINT,
        f"Host: {own.netloc}": f"http://evil.example{ENDPOINT}",
    }
    seen = []
    for headers, target in tricks.items():
        told = f"POST {target} HTTP/1.1\r\n{headers}\r\nx-api-market-key: {place.running.new_key()}\r\n"
        told += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        answer = exchange(place.running.address, told.encode() + body, patience_s=10)
        assert b"://evil" not in answer.replace(f"at /http://evil.example{ENDPOINT}".encode(), b""), answer[:500]
        seen += statuses(answer)
    assert urlsplit(success_url(place.running.send(good("jpeg"), headers={"host": "evil.example"})))[:2] == own[:2]
    return f"statuses {seen}, no link elsewhere"
