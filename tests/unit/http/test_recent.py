from hooks.http.recent import REMEMBERED, Recent


def test_what_was_written_longest_ago_goes_first() -> None:
    recent = Recent[int]()
    for number in range(REMEMBERED):
        recent[str(number)] = number
    recent["0"] = -1
    recent["new"] = 0
    assert len(recent) == REMEMBERED
    assert "1" not in recent
    assert (recent["0"], recent["2"]) == (-1, 2)
