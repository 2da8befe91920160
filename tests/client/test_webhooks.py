"""Webhooks as a real service sends them: the client verifies them, and rejects them after any change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import runpy
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.client import BadWebhook, Client, ClientError, Event, Job, NotUnderstood, verify_webhook
from packshot.service.webhooks import Webhooks
from tests.client.kit import UNUSED
from tests.kit import images
from tests.kit.scripted import answers, scripted
from tests.kit.server import Running, serving, wait_until

PAGE = (Path(__file__).parents[2] / "docs/how-to/client.md").read_text(encoding="utf-8")
NEW, OLD, OTHER = "the secret of the service, of today", "the secret of the service, of May", "a secret of another one"
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


@dataclass(frozen=True)
class Sent:
    """A received webhook, and the service's job. secrets: of the account, by each secret of a service."""

    body: bytes
    headers: Mapping[str, str]
    secrets: Mapping[str, str]
    account_secret: str
    job: Job

    def verify(self, *, later_s: float = 0, **other: Any) -> Event:
        """The client's verdict, with some inputs replaced, at the second of sending or later."""
        whole = {"body": self.body, "headers": self.headers, "secret": self.account_secret, **other}
        return verify_webhook(**whole, now=lambda: int(self.headers[TIMESTAMP]) + later_s)

    def signed(self, body: bytes, **other: str) -> dict[str, str]:
        """Headers for another body, or another time, signed with the right secret."""
        headers = {**self.headers, **other}
        key = base64.b64decode(self.account_secret.removeprefix("whsec_"))
        signed = f"{headers[ID]}.{headers[TIMESTAMP]}.".encode() + body
        return {**headers, SIGNATURE: "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a recently changed secret: the old one still signs too."""
    told = {"webhooks": "http", "webhook_networks": ("127.0.0.0/8",), "url_secrets": (NEW, OLD)}
    with serving(tmp_path_factory.mktemp("webhooks"), workers=1, **told) as running:
        yield running


@pytest.fixture(scope="module")
def sent(service: Running) -> Sent:
    with (
        scripted(answers(204)) as receiver,
        httpx.Client(verify=UNUSED) as http,
        Client(service.base_url, service.new_key(), http=http) as client,
    ):
        account = client.account()
        job = client.begin_job([images.good("jpeg"), b"no picture"], webhook=f"{receiver.url}/hook", crop=True)
        wait_until(lambda: (state := client.job(job).webhook) and state.status == "delivered")
        job = client.job(job)
    (asked,) = receiver.asked
    assert account.webhook_secret is not None and account.webhook_secret not in repr(account)
    settings = service.service.settings
    return Sent(
        body=asked.body,
        headers={name: asked.headers[name] for name in (ID, TIMESTAMP, SIGNATURE)},
        secrets={each: Webhooks(settings, [each], time.time).secret(account.id) for each in (NEW, OLD, OTHER)},
        account_secret=account.webhook_secret,
        job=job,
    )


@pytest.mark.slow
def test_a_webhook_tells_the_job_that_has_finished(sent: Sent) -> None:
    event = sent.verify()
    assert (event.type, event.id) == ("job.finished", sent.headers[ID])
    assert abs(event.timestamp.timestamp() - int(sent.headers[TIMESTAMP])) <= 1
    assert (event.job.id, event.job.status, event.job.counts) == (sent.job.id, "done", sent.job.counts)
    assert event.job.finished_at == sent.job.finished_at
    good, bad = event.job.photos
    assert good.packshots[0].url.partition("?")[0] == sent.job.photos[0].packshots[0].url.partition("?")[0]
    assert bad.failure == sent.job.photos[1].failure is not None
    assert sent.job.webhook is not None and (sent.job.webhook.attempts, sent.job.webhook.problem) == (1, "")


def test_the_published_library_verifies_it_too(sent: Sent) -> None:
    published = pytest.importorskip("standardwebhooks", reason="standardwebhooks is not installed")
    for secret in (sent.account_secret, sent.secrets[OLD]):
        assert published.Webhook(secret).verify(sent.body, dict(sent.headers))["data"]["id"] == sent.job.id


@pytest.mark.slow
def test_the_receiver_of_the_page_takes_it_and_refuses_others(
    service: Running, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("flask", reason="Flask is no dependency; install it to run this")
    from werkzeug.serving import make_server  # comes with Flask

    program = next(each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "flask" in each)
    (tmp_path / "receiver.py").write_text(program)
    app = runpy.run_path(str(tmp_path / "receiver.py"), run_name="receiver")["app"]
    receiver = make_server("127.0.0.1", 0, app)
    address = f"http://127.0.0.1:{receiver.port}/packshots"
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        with httpx.Client(verify=UNUSED) as http, Client(service.base_url, service.new_key(), http=http) as client:
            monkeypatch.setenv("PACKSHOT_WEBHOOK_SECRET", str(client.account().webhook_secret))
            job = client.begin_job(b"no picture", webhook=address)
            wait_until(lambda: (state := client.job(job).webhook) and state.status == "delivered")
            assert f"job.finished {job.id} 0" in capsys.readouterr().out
            assert http.post(address, content=sent.body, headers=sent.headers).status_code == 400  # of another account
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


def test_while_secrets_change_both_verify(sent: Sent) -> None:
    assert sent.account_secret == sent.secrets[NEW]
    for secret in (sent.secrets[NEW], sent.secrets[OLD], [sent.secrets[OTHER], sent.secrets[OLD]]):
        assert sent.verify(secret=secret).job.id == sent.job.id
    for secret in (sent.secrets[OTHER], [sent.secrets[OTHER]] * 2):
        with pytest.raises(BadWebhook, match="signature"):
            sent.verify(secret=secret)


@pytest.mark.parametrize("written", [str.upper, str.title, str.lower])
def test_names_of_headers_may_have_any_case(sent: Sent, written: Any) -> None:
    headers = httpx.Headers({written(name): value for name, value in sent.headers.items()})
    assert sent.verify(headers=headers).job.id == sent.job.id
    assert sent.verify(headers={**{written(name): value for name, value in sent.headers.items()}, "Host": "x"})


@pytest.mark.parametrize("later_s", [0, 299, 300, -300])
def test_a_webhook_is_good_for_five_minutes(sent: Sent, later_s: int) -> None:
    assert sent.verify(later_s=later_s).job.id == sent.job.id


@pytest.mark.parametrize(("later_s", "words"), [(301, "301 s old"), (-301, "301 s ahead"), (1e9, "old")])
def test_one_that_is_sent_again_later_is_refused(sent: Sent, later_s: float, words: str) -> None:
    with pytest.raises(BadWebhook, match=words):
        sent.verify(later_s=later_s)
    assert sent.verify(later_s=later_s, tolerance_s=abs(later_s)).job.id == sent.job.id


def test_by_the_clock_of_this_machine_it_has_just_come(sent: Sent) -> None:
    assert verify_webhook(sent.body, sent.headers, sent.account_secret).job.id == sent.job.id


@given(data=st.data())
def test_any_changed_byte_is_refused(sent: Sent, data: st.DataObject) -> None:
    one = {**sent.headers, SIGNATURE: sent.headers[SIGNATURE].split(" ")[0]}
    where = data.draw(st.sampled_from(["body", *one]))
    text = sent.body if where == "body" else one[where].encode()
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != text[place]))
    kind = data.draw(st.sampled_from(["replace", "insert", "remove"]))
    if kind == "insert":
        changed = text[:place] + bytes([byte]) + text[place:]
    else:
        changed = text[:place] + (bytes([byte]) if kind == "replace" else b"") + text[place + 1 :]
    other = {"body": changed} if where == "body" else {"headers": {**one, where: changed.decode("latin-1")}}
    if where == SIGNATURE and changed.split(b" ").count(text):
        return  # the whole signature is still there, next to another
    with pytest.raises(BadWebhook):
        sent.verify(**other)


def test_another_text_of_the_same_signature_is_refused(sent: Sent) -> None:
    """The last base64 character of 32 bytes has two meaningless bits."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = sent.signed(sent.body)[SIGNATURE]
    other = f"{text[:-2]}{digits[digits.index(text[-2]) ^ 1]}="
    assert base64.b64decode(other[3:]) == base64.b64decode(text[3:])
    with pytest.raises(BadWebhook):
        sent.verify(headers={**sent.headers, SIGNATURE: other})


@pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE])
def test_a_missing_header_is_named(sent: Sent, name: str) -> None:
    with pytest.raises(BadWebhook, match=name):
        sent.verify(headers={other: value for other, value in sent.headers.items() if other != name})
    with pytest.raises(BadWebhook, match=name):
        sent.verify(headers={**sent.headers, name: ""})


@given(signatures=st.text("v1,=+/ Aä\ud800"))
def test_whatever_stands_for_a_signature_is_refused(sent: Sent, signatures: str) -> None:
    with pytest.raises(BadWebhook):
        sent.verify(headers={**sent.headers, SIGNATURE: signatures})


@pytest.mark.parametrize("timestamp", ["soon", "1e9", "-1", "\u0661\u0662", "9" * 5000, " 1"])
def test_a_time_that_is_none_is_refused_although_it_is_signed(sent: Sent, timestamp: str) -> None:
    with pytest.raises(BadWebhook, match="number of seconds"):
        sent.verify(headers=sent.signed(sent.body, **{TIMESTAMP: timestamp}))


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"type": "key.locked", "timestamp": "2026-03-01T12:00:00Z"}'])
def test_a_genuine_one_of_another_kind_is_told_from_a_forged_one(sent: Sent, said: bytes) -> None:
    with pytest.raises(NotUnderstood, match="genuine"):
        sent.verify(body=said, headers=sent.signed(said))


def test_members_that_are_new_are_passed_over(sent: Sent) -> None:
    said = json.loads(sent.body)
    more = json.dumps({**said, "new": 1, "data": {**said["data"], "new": 1}}).encode()
    assert sent.verify(body=more, headers=sent.signed(more)).job == sent.verify().job


@pytest.mark.parametrize("secret", ["", "whsec_", "no base64!", "whsec_\u00e4", [], ["whsec_"]])
def test_a_secret_that_is_none_is_the_receivers_fault_and_is_not_shown(sent: Sent, secret: str | list[str]) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        sent.verify(secret=secret)
    assert not isinstance(caught.value, ClientError)
    assert "no base64!" not in str(caught.value)
