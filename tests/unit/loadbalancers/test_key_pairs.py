"""What a Secret's certificate is told by, and that its key is never shown."""

from hooks.loadbalancers.key_pairs import digest_of, read_pair
from tests.integration.loadbalancers.certificates import make_certificate, pem_of, rsa_key, secret

NOW = 1_800_000_000.0


def test_a_digest_goes_by_the_certificates_and_not_by_how_they_are_written() -> None:
    first, second = (make_certificate(NOW, name, key=rsa_key()) for name in ("a", "b"))
    assert digest_of(first, "") == digest_of(f"# of web\n{first}\n\n", "")
    assert digest_of(first, second) == digest_of(first + second, "")
    assert len({digest_of(first, ""), digest_of(second, ""), digest_of(first, second)}) == 3
    assert digest_of("hello", "") == ""


def test_the_first_certificate_is_shown_and_those_behind_it_are_its_chain() -> None:
    leaf = make_certificate(NOW, "leaf", days=20, key=rsa_key())
    signer = make_certificate(NOW, "signer", days=10, key=rsa_key(1))
    pair = read_pair(secret(leaf + signer, pem_of(rsa_key())), NOW)
    assert (pair.certificate, pair.chain) == (leaf, signer)
    assert pair.expires == NOW + 10 * 86400
    assert pair.digest == digest_of(leaf, signer)
    assert pair.key not in repr(pair)
    assert "PRIVATE" not in repr(pair)
