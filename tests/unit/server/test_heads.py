import pytest

from hooks.server.heads import MAX_HEAD_BYTES, MAX_HEADERS, Unreadable, head_length

START = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize("more", [b"", b"{}", b"GET / HTTP/1.1\n"])
def test_a_head_ends_at_the_empty_line(more: bytes) -> None:
    head = START + b"Host: a\r\n" * MAX_HEADERS + b"\r\n"
    assert head_length(bytearray(head + more)) == len(head)


@pytest.mark.parametrize("size", range(1, len(START) + 2))
def test_a_part_of_a_head_waits_for_more(size: int) -> None:
    assert head_length(bytearray((START + b"\r\n")[:size])) == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (START + b"a:" + b"x" * MAX_HEAD_BYTES, 431),
        (START + b"a:" + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (START + b"a:\r\n" * (MAX_HEADERS + 2), 431),
        (START + b"a:\r\n" * (MAX_HEADERS + 1) + b"\r\n", 431),
        (START + b"a:\nb", 400),
        (START + b"a:\r\n b\r\n\r\n", 400),
        (START + b"Content-Length: 1\r\nContent-length: 1\r\n\r\n", 400),
        (START + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (START + b"Content-Length: 1,1\r\n\r\n", 400),
        (b"\r\n" + START, 400),
        (b"\x16\x03", 400),
    ],
)
def test_a_head_with_two_readings_or_too_much_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(Unreadable) as caught:
        head_length(bytearray(data))
    assert caught.value.status == status
