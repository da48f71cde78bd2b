"""Posting by hand beyond the contract suite: which URL counts, and which settings are refused."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Config, Message, NeedsPerson, Part, Role, Unsupported
from adapters.manual import ManualAdapter

PREFIX = "https://www.social.example/posts/our-company_"


def adapter(base_url: str = "", **fields: str) -> ManualAdapter:
    given = {"site": "www.social.example", "path_prefix": "/posts/our-company_", "name": "Social", "max_length": "3000", "public": "true"}
    return ManualAdapter(Config("social", "manual", Role.POINTER, "our-company", base_url, given | fields))


@pytest.mark.parametrize(
    "url", [f"{PREFIX}an-update-activity-7", f"{PREFIX}1", f"{PREFIX}a/b", f"{PREFIX}a/", f"{PREFIX}b%C3%BC", f"{PREFIX}v1.2"]
)
def test_a_post_of_the_account_counts(url: str) -> None:
    assert adapter().owns(url)


@pytest.mark.parametrize(
    "url",
    [
        PREFIX,
        f"{PREFIX}1 ",
        f"{PREFIX}1\n",
        f"{PREFIX}1?utm_source=share",
        f"{PREFIX}1#x",
        f"{PREFIX}1//evil.example",
        f"{PREFIX}/../../other-company_1",
        f"{PREFIX}/%2e%2E/other-company_1",
        f"{PREFIX}a%2Fb",
        f"{PREFIX}a\\b",
        f"{PREFIX}аnother",  # Cyrillic
        f"{PREFIX}" + "a" * 2000,
        PREFIX.replace("https:", "http:") + "1",
        PREFIX.replace("https:", "HTTPS:") + "1",
        PREFIX.replace("www.social.example", "www.social.example:443") + "1",
        PREFIX.replace("www.social.example", "user@www.social.example") + "1",
        PREFIX.replace("www.social.example", "www.social.example.evil.example") + "1",
        PREFIX.replace("www.", "") + "1",
        PREFIX.replace("our-company", "other-company") + "1",
        "//www.social.example/posts/our-company_1",
    ],
)
def test_no_other_url_counts(url: str) -> None:
    assert not adapter().owns(url)


def test_in_a_rehearsal_only_the_stand_in_counts() -> None:
    drill = adapter("http://127.0.0.1:8008/")
    assert drill.owns("http://127.0.0.1:8008/posts/our-company_1")
    assert not drill.owns(f"{PREFIX}1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("site", value)
            for value in ("", "https://social.example", "social.example/x", "social.example:443", "Social.example", "localhost")
        ),
        *(("path_prefix", value) for value in ("", "/", "posts/", "/posts", "/posts/our-company", "/a/../b/", "//evil.example/", "/a?b=")),
        *(("max_length", value) for value in ("0", "-1", "many", "١٢", "100001")),
        *(("public", value) for value in ("yes", "True", "1")),
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=field):
        adapter(**{field: value})


def test_what_is_left_empty_has_a_default() -> None:
    plain = adapter(name="", max_length="", public="")
    assert (plain.limits.max_length, plain.limits.public) == (100_000, False)


def test_a_text_that_is_too_long_says_by_how_much() -> None:
    with pytest.raises(Unsupported, match="3000 characters; this text has 3001"):
        adapter().render(Message("a" * 3001, "t"))
    assert adapter().render(Message("a" * 3000, "t")).parts == (Part("a" * 3000),)


async def test_the_person_is_told_where_to_post_and_what_to_bring_back() -> None:
    with pytest.raises(NeedsPerson, match="Social") as caught:
        await adapter().publish(Part("text"), "k" * 20, None)
    assert PREFIX in str(caught.value)


@given(rest=st.text(st.sampled_from("ab/._-%25eEfF?#@:\\ \n"), max_size=12))
def test_what_counts_stays_under_the_prefix_however_it_is_read(rest: str) -> None:
    url = PREFIX + rest
    if adapter().owns(url):
        read = urlsplit(url)
        assert (read.scheme, read.netloc, read.query, read.fragment) == ("https", "www.social.example", "", "")
        assert ".." not in unquote(read.path).split("/")
        assert "//" not in unquote(read.path)
