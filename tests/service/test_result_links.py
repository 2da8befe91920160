from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packshot.errors import BadSignature, ResultExpired
from packshot.service.results import UrlSigner, new_result_id
from tests.service.kit import Clock

OLD, NEW = "old-" + "o" * 40, "new-" + "n" * 40
DAY_S = 86400
# Includes text that no framework should pass on: a lone surrogate must give a bad signature, not a crash.
anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)


def link(signer: UrlSigner, clock: Clock) -> tuple[str, str, str]:
    result_id, expires = new_result_id(), int(clock()) + DAY_S
    return result_id, str(expires), signer.sign(result_id, expires)


def test_a_link_works_until_its_last_second_and_then_never_again() -> None:
    clock = Clock()
    signer = UrlSigner([NEW], now=clock)
    made = link(signer, clock)
    clock.advance(DAY_S - 1)
    signer.verify(*made)
    clock.advance(1)
    with pytest.raises(ResultExpired):
        signer.verify(*made)
    clock.advance(10 * 365 * DAY_S)
    with pytest.raises(ResultExpired):
        signer.verify(*made)


@given(st.integers(0, 2), anything)
@example(0, "\ud800")
@example(1, "\ud800")
@example(2, "\ud800")
def test_any_alteration_of_id_expiry_or_signature_is_a_bad_signature(part: int, other: str) -> None:
    clock = Clock()
    signer = UrlSigner([NEW], now=clock)
    altered = list(link(signer, clock))
    if altered[part] == other:
        return
    altered[part] = other
    with pytest.raises(BadSignature):
        signer.verify(*altered)


@given(st.data())
def test_one_changed_character_is_a_bad_signature(data: st.DataObject) -> None:
    clock = Clock()
    signer = UrlSigner([NEW], now=clock)
    altered = list(link(signer, clock))
    part = data.draw(st.integers(0, 2))
    place = data.draw(st.integers(0, len(altered[part]) - 1))
    character = data.draw(st.characters().filter(lambda c: c != altered[part][place]))
    altered[part] = altered[part][:place] + character + altered[part][place + 1 :]
    with pytest.raises(BadSignature):
        signer.verify(*altered)


@given(st.from_regex(r"[A-Za-z0-9:_.-]{0,9}", fullmatch=True), st.text(max_size=9), st.integers(0, 10**12))
def test_no_character_can_move_between_id_and_expiry(head: str, tail: str, expires: int) -> None:
    signer = UrlSigner([NEW], now=lambda: 0)
    signature = signer.sign(f"{head}:{tail}", expires)
    with pytest.raises(BadSignature):
        signer.verify(tail, f"{expires}:{head}", signature)


@pytest.mark.parametrize("form", ["0{}", "+{}", " {}", "{}.0", "-{}", "{}\n"])
def test_an_expiry_is_accepted_in_its_one_spelling_only(form: str) -> None:
    clock = Clock()
    signer = UrlSigner([NEW], now=clock)
    result_id, expires, signature = link(signer, clock)
    with pytest.raises(BadSignature):
        signer.verify(result_id, form.format(expires), signature)


def test_a_forged_link_does_not_learn_that_it_would_have_expired() -> None:
    clock = Clock()
    signer = UrlSigner([NEW], now=clock)
    with pytest.raises(BadSignature):
        signer.verify(new_result_id(), str(int(clock()) - 1), "A" * 43)


def test_a_secret_is_changed_without_breaking_links() -> None:
    clock = Clock()
    before, both, after = (UrlSigner(secrets, now=clock) for secrets in ([OLD], [NEW, OLD], [NEW]))
    old_link, new_link = link(before, clock), link(both, clock)
    both.verify(*old_link)
    both.verify(*new_link)
    after.verify(*new_link)
    with pytest.raises(BadSignature):
        after.verify(*old_link)


def test_a_link_survives_a_restart_and_needs_no_escaping() -> None:
    clock = Clock()
    made = link(UrlSigner([NEW], now=clock), clock)
    UrlSigner([NEW], now=clock).verify(*made)
    assert made[2].replace("-", "").replace("_", "").isalnum()
    assert made[2].isascii()
