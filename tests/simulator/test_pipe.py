"""The frames between engine and runner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import pipe

FRAMES = st.lists(st.tuples(st.sampled_from(sorted(pipe.KINDS)), st.binary(max_size=50)), max_size=10)


def test_a_frame_is_kind_length_payload() -> None:
    """One byte of kind, four of length (little-endian), the payload: worked out by hand."""
    assert pipe.frame(pipe.SAMPLES, b"abc") == b"S\x03\x00\x00\x00abc"
    assert pipe.json_frame(pipe.HEALTH, {"t": 1}) == b'H\x07\x00\x00\x00{"t":1}'


@given(FRAMES, st.data())
def test_frames_survive_any_cut(frames: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """However the stream is cut into reads, the same frames come out, and nothing is left."""
    stream = b"".join(pipe.frame(kind, payload) for kind, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = pipe.Frames()
    assert [frame for part in parts for frame in reader.feed(part)] == frames
    assert reader.rest == 0


def test_a_torn_frame_is_noticed() -> None:
    """What is left of a frame that did not end is counted."""
    reader = pipe.Frames()
    assert list(reader.feed(pipe.frame(pipe.END, b"{}")[:-1])) == []
    assert reader.rest == 6


@pytest.mark.parametrize("stream", [b"?\x00\x00\x00\x00", b"S\xff\xff\xff\xff"])
def test_what_is_no_frame_stops_loudly(stream: bytes) -> None:
    """An unknown kind or an absurd length is our own bug, never data."""
    with pytest.raises(pipe.BadFrame):
        list(pipe.Frames().feed(stream))
