import pytest

from hooks.http.hide import hide

SECRET = "s3cr3t/with+signs"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(f"the key {SECRET}, {SECRET}", "the key ***, ***", id="plain"),
        pytest.param("key=s3cr3t%2Fwith%2Bsigns&x", "key=***&x", id="percent-encoded"),
        pytest.param("nothing in it", "nothing in it", id="none"),
    ],
)
def test_secrets_are_taken_out_of_text_and_bytes(text: str, shown: str) -> None:
    assert hide(text, [SECRET]) == shown
    assert hide(text.encode(), [SECRET]) == shown.encode()


def test_a_short_secret_would_be_found_in_innocent_words() -> None:
    assert hide("a token and a node", ["", "node", "token"]) == "a token and a node"
