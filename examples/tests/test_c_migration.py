"""docs/migrating-c.md: its programs are the files, build without a warning and do the same; every name on it exists."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from test_c import RELEASE, ROOT, SANITIZE, STRICT, connect, running

PAGE = (ROOT / "docs" / "migrating-c.md").read_text()
PROGRAMS = ROOT / "examples" / "c" / "migration"
INCLUDE = f"-I{ROOT / 'include'}"


class Library(NamedTuple):
    headers: list[str]
    package: str
    link: list[str]
    # How the names that are its own begin.
    prefixes: str


LIBRARIES = {
    "libuv": Library(["uv.h"], "libuv1-dev", ["-luv"], "uv_|UV_"),
    "libev": Library(["ev.h"], "libev-dev", ["-lev"], "ev_|EVFLAG_|EVBREAK_|EVRUN_|EVBACKEND_"),
    "libevent": Library(
        [
            f"event2/{name}.h"
            for name in (
                "event",
                "bufferevent",
                "bufferevent_ssl",
                "buffer",
                "listener",
                "dns",
                "http",
                "thread",
                "util",
            )
        ],
        "libevent-dev",
        ["-levent"],
        "(?:event|evtimer|evsignal|evuser|evbuffer|bufferevent|evconnlistener|evutil|evthread|evdns|evhttp)_"
        "|BEV_|LEV_|EVLOOP_|EVENT_BASE_FLAG_|EVUTIL_",
    ),
    "fastsock": Library(["fastsock.h"], "", [f"-L{RELEASE}", "-lfastsock", f"-Wl,-rpath,{RELEASE}"], "fsock_|FSOCK_"),
}


@cache
def words(name: str) -> frozenset[str] | None:
    """What a library's headers declare and define, and what they include; None without them."""
    source = "".join(f"#include <{header}>\n" for header in LIBRARIES[name].headers)
    command = ["cc", "-std=c99", "-D_GNU_SOURCE=1", INCLUDE, "-E", "-dD", "-"]
    ran = subprocess.run(command, input=source, capture_output=True, text=True, timeout=60)
    return frozenset(re.findall(r"\w+", ran.stdout)) if ran.returncode == 0 else None


def installed(name: str) -> frozenset[str]:
    found = words(name)
    if found is None:
        assert LIBRARIES[name].package
        pytest.skip(f"{name} is not installed: apt-get install {LIBRARIES[name].package}")
    return found


@cache
def built(name: str, folder: Path) -> Path:
    installed(name)
    program = folder / f"migration-{name}"
    source = PROGRAMS / f"{name}.c"
    flags = ["-std=c99", "-D_GNU_SOURCE=1", *STRICT, *SANITIZE, INCLUDE]
    subprocess.run(["cc", *flags, source, *LIBRARIES[name].link, "-o", program], check=True, timeout=120)
    return program


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("migration")


def missing(prefixes: str, known: frozenset[str]) -> list[str]:
    """Names on the page that are not known; one that ends in _* or _ stands for those that begin so."""
    names = set(re.findall(rf"\b(?:{prefixes})\w*\*?", PAGE))
    assert names
    exact = {name for name in names if not name.endswith(("*", "_"))}
    beginnings = {name.rstrip("*") for name in names - exact}
    return sorted(exact - known) + sorted(b for b in beginnings if not any(word.startswith(b) for word in known))


def test_the_page_shows_the_programs_as_they_are() -> None:
    blocks = re.findall(r"^```c\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert blocks == [(PROGRAMS / f"{name}.c").read_text() for name in LIBRARIES]
    assert {path.stem for path in PROGRAMS.iterdir()} == set(LIBRARIES)
    assert all(block.count("\n") < 70 for block in blocks)


@pytest.mark.parametrize("name", LIBRARIES)
def test_every_name_on_the_page_exists(name: str) -> None:
    assert missing(LIBRARIES[name].prefixes, installed(name)) == []


def test_every_name_that_libev_and_libevent_share_exists() -> None:
    assert missing("EV_", installed("libev") | installed("libevent")) == []


def test_a_name_that_does_not_exist_is_found() -> None:
    assert "fsock_add" in missing("fsock_", installed("fastsock") - {"fsock_add"})
    assert "fsock_loop_wait" not in missing("fsock_", installed("fastsock"))


def test_the_files_it_links_to_exist() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / path).exists(), path


@pytest.mark.parametrize("name", LIBRARIES)
def test_it_echoes_and_what_is_queued_at_the_end_arrives(name: str, folder: Path) -> None:
    with (
        running(built(name, folder), "127.0.0.1:0") as (_, address),
        connect(address) as idle,
        connect(address) as client,
        client.makefile("rb") as stream,
    ):
        for length in (1, 1000, 200_000):
            client.sendall(b"e" * length)
            assert stream.read(length) == b"e" * length
        client.sendall(b"the last" * 10_000)
        client.shutdown(socket.SHUT_WR)
        assert stream.read() == b"the last" * 10_000
        idle.sendall(b"still here")
        assert idle.recv(100) == b"still here"


@pytest.mark.parametrize("name", LIBRARIES)
def test_it_does_not_read_from_who_does_not_read(name: str, folder: Path) -> None:
    """A server without back-pressure would take all of it; this one, what the kernel's buffers hold and little more."""
    content = bytes(range(251)) * 4000
    with running(built(name, folder), "127.0.0.1:0") as (_, address), connect(address) as client:
        sent = 0
        client.settimeout(1)
        try:
            while sent < 64 << 20:
                sent += client.send(content[sent % len(content) :])
        except TimeoutError:
            pass
        else:
            pytest.fail(f"{sent} bytes were taken, and none of them read")
        client.settimeout(20)
        client.shutdown(socket.SHUT_WR)
        got = 0
        while text := client.recv(1 << 20):
            at = got % len(content)
            assert text == (content[at:] + content * 2)[: len(text)]
            got += len(text)
        assert got == sent


@pytest.mark.parametrize("name", LIBRARIES)
def test_who_resets_the_connection_takes_nobody_along(name: str, folder: Path) -> None:
    with running(built(name, folder), "127.0.0.1:0") as (_, address):
        for _ in range(5):
            with connect(address) as rude:
                rude.sendall(b"x" * 100_000)
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with connect(address) as client:
            client.sendall(b"still there?")
            assert client.recv(100) == b"still there?"


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_wrong_or_taken_address_is_told(name: str, folder: Path) -> None:
    for wrong in ([], ["127.0.0.1:x"], ["127.0.0.1:70000"], ["127.0.0.1"], ["127.0.0.1:1", "more"]):
        ran = subprocess.run([built(name, folder), *wrong], capture_output=True, text=True, timeout=10)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith(f"usage: {name} HOST:PORT")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = subprocess.run([built(name, folder), address], capture_output=True, text=True, timeout=10)
        assert ran.returncode == 1
        assert ran.stderr.startswith(f"{name}: {address}: ") and "in use" in ran.stderr
