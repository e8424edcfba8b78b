"""``rfile``: as ``io.BufferedReader`` over the same bytes."""

from __future__ import annotations

import io
import itertools
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PATIENCE, all_of, pair

import fastsock
from fastsock._fastsock import Reader

pytestmark = pytest.mark.usefixtures("nothing_left")


def script(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data in the pieces in which it is sent."""
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def perform(file: Any, operation: tuple[str, Any]) -> Any:
    """The outcome of one operation that does not depend on how the bytes were cut."""
    name, size = operation
    if name == "readinto":
        target = bytearray(size)
        count = file.readinto(target)
        return bytes(target[:count])
    if name == "next":
        return next(file, b"")
    return getattr(file, name)(size)


operations = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 300)),
    st.tuples(st.just("readline"), st.integers(-1, 60)),
    st.tuples(st.just("readinto"), st.integers(0, 300)),
    st.tuples(st.just("readlines"), st.integers(1, 80)),
    st.tuples(st.just("next"), st.none()),
)
# Newlines are to be frequent.
bodies = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r\n", b"x" * 50, b"\0", b"long " * 30]), max_size=60).map(
    b"".join
)


@settings(max_examples=300, deadline=None)
@given(bodies, st.lists(st.integers(0, 2000), max_size=8), st.lists(operations, max_size=12), st.booleans())
def test_any_mix_of_reads_gives_what_a_buffered_reader_gives(
    data: bytes, cuts: list[int], mix: list[tuple[str, Any]], on_loop: bool
) -> None:
    expected_file = io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]
    expected = [perform(expected_file, operation) for operation in mix] + [expected_file.read()]
    got: list[Any] = []

    with pair() as (ours, peer):

        def read() -> None:
            file = Reader(ours._channel)
            got.extend(perform(file, operation) for operation in mix)
            got.append(file.read())

        def feed() -> None:
            for piece in script(data, cuts):
                peer.sendall(piece)
                fastsock.sleep(0)
            peer.close()

        if on_loop:
            all_of(read, feed)
        else:
            feed()
            read()
    assert got == expected


@settings(max_examples=100, deadline=None)
@given(bodies, st.lists(st.integers(0, 2000), max_size=8), st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_short_reads_give_the_bytes_in_order_and_no_more_than_asked_for(
    data: bytes, cuts: list[int], sizes: list[int]
) -> None:
    got: list[bytes] = []
    with pair() as (ours, peer):

        def read() -> None:
            file = Reader(ours._channel)
            for turn in range(10_000):
                size = sizes[turn % len(sizes)]
                ahead = file.peek(size)
                target = bytearray(size)
                part = file.read1(size) if turn % 2 else bytes(target[: file.readinto1(target)])
                assert len(part) <= size
                assert ahead.startswith(part)
                got.append(part)
                if not part:
                    return

        def feed() -> None:
            for piece in script(data, cuts):
                peer.sendall(piece)
                fastsock.sleep(0)
            peer.close()

        all_of(read, feed)
    assert b"".join(got) == data


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_000_000])
def test_lines_longer_than_the_receive_buffer_are_whole(size: int) -> None:
    lines = [b"a" * size + b"\n", b"b" * size + b"\n", b"tail without a newline"]
    got: list[bytes] = []
    with pair() as (ours, peer):
        thread = threading.Thread(target=lambda: (peer.sendall(b"".join(lines)), peer.close()))
        thread.start()
        all_of(lambda: got.extend(Reader(ours._channel)))
        thread.join(PATIENCE)
    assert got == lines


def test_a_line_is_given_before_the_next_one_has_come() -> None:
    with pair() as (ours, peer):
        got: list[bytes] = []

        def read() -> None:
            file = Reader(ours._channel)
            got.append(file.readline())
            peer.sendall(b"second\n")
            got.append(file.readline())

        all_of(read, lambda: peer.sendall(b"first\nsec") and None, lambda: peer.sendall(b"ond half ") and None)
        assert got == [b"first\n", b"second half second\n"]


def test_text_and_csv_may_be_read_through_it() -> None:
    with pair() as (ours, peer):
        peer.sendall("größe\r\nzwei\n".encode())
        peer.close()

        def read() -> None:
            text = io.TextIOWrapper(Reader(ours._channel), encoding="utf-8")  # type: ignore[type-var]
            assert text.read().splitlines() == ["größe", "zwei"]
            text.close()

        all_of(read)


def test_a_timeout_loses_nothing_that_has_come() -> None:
    def body() -> None:
        with pair() as (ours, peer):
            ours.settimeout(0.01)
            file = Reader(ours._channel)
            peer.sendall(b"half a li")
            with pytest.raises(TimeoutError):
                file.readline()
            peer.sendall(b"ne\nrest")
            assert file.readline() == b"half a line\n"
            with pytest.raises(TimeoutError):
                file.read(10)
            assert file.read1() == b"rest"

    all_of(body)
    body()


def test_a_closed_file_says_so_and_is_closed_once() -> None:
    closes: list[int] = []
    with pair() as (ours, _):
        file = Reader(ours._channel, lambda: closes.append(1))
        assert (file.readable(), file.writable(), file.seekable(), file.isatty(), file.mode) == (
            True,
            False,
            False,
            False,
            "rb",
        )
        assert isinstance(file, io.BufferedIOBase)
        with file as same:
            assert same is file
            with pytest.raises(OSError, match="not seekable"):
                file.seek(0)
        file.close()
        assert file.closed
        for call in (file.read, file.readline, file.read1, file.peek, file.fileno, file.readable, file.__next__):
            with pytest.raises(ValueError, match="closed"):
                call()
    assert closes == [1]


def test_two_coroutines_on_one_file_get_errors_or_bytes_and_never_a_crash() -> None:
    outcomes: list[Any] = []
    with pair() as (ours, peer):
        file = Reader(ours._channel)

        def line() -> None:
            outcomes.append(file.readline())

        def rest() -> None:
            fastsock.sleep(0.005)
            outcomes.append(file.read1(3))
            with pytest.raises(RuntimeError, match="one reader"):
                file.read(10)
            peer.sendall(b"\n")

        peer.sendall(b"abcde")
        all_of(line, rest)
    assert outcomes == [b"abc", b"de\n"]
