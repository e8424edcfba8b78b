"""The C examples, built as C and as C++ without a warning and with the sanitizers on, run as a person would run them
and driven over real sockets."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "c"
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
BACKENDS = ["epoll", "poll", "select"]
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-g", "-O1"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def build(name: str, folder: Path, *dialect: str) -> Path:
    program = folder / name
    flags = [*dialect, "-D_GNU_SOURCE=1", *STRICT, *SANITIZE, f"-I{ROOT / 'include'}", str(EXAMPLES / f"{name}.c")]
    link = ["-x", "none", f"-L{RELEASE}", "-lfastsock", f"-Wl,-rpath,{RELEASE}", "-pthread", "-o", str(program)]
    subprocess.run([*flags, *link], check=True, timeout=120)
    return program


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c")


def built(name: str, folder: Path) -> Path:
    return folder / name if (folder / name).exists() else build(name, folder, "cc", "-std=c99")


@contextlib.contextmanager
def running(program: Path, *args: str, backend: str = "epoll") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program, and what it says after READY. It must not have been killed by a sanitizer in the end."""
    environment = {**os.environ, "FASTSOCK_BACKEND": backend}
    with subprocess.Popen(
        [program, *args],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("READY "), line or process.communicate(timeout=10)[1]
            yield process, line.split()[1]
            assert process.poll() in (None, 0), process.communicate(timeout=10)[1]
        finally:
            process.kill()


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.c")))
def test_it_is_c_and_cpp_and_short(name: str, folder: Path, tmp_path: Path) -> None:
    built(name, folder)
    build(name, tmp_path, "c++", "-x", "c++", "-std=c++11")
    assert len((EXAMPLES / f"{name}.c").read_text().splitlines()) < 120


@pytest.mark.parametrize("name", ["timestamp", "udp_time", "chat", "embed", "download", "echo"])
def test_what_it_does_not_understand_is_answered_with_its_usage(name: str, folder: Path) -> None:
    middle = [__file__] if name == "download" else []
    for wrong in ([], ["127.0.0.1"], ["127.0.0.1:x"], ["127.0.0.1:70000"], ["127.0.0.1", "8o"]):
        ran = subprocess.run([built(name, folder), *middle, *wrong], capture_output=True, text=True, timeout=10)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith("usage: ")


@pytest.mark.parametrize("name", ["timestamp", "udp_time", "chat", "embed", "download", "echo"])
def test_an_address_that_is_taken_is_named(name: str, folder: Path) -> None:
    kind = socket.SOCK_DGRAM if name == "udp_time" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = str(taken.getsockname()[1])
        words = ["127.0.0.1", port] if name == "echo" else [f"127.0.0.1:{port}"]
        words = [__file__, *words] if name == "download" else words
        ran = subprocess.run([built(name, folder), *words], capture_output=True, text=True, timeout=10)
        assert ran.returncode == 1
        assert f"127.0.0.1:{port}: the address is in use" in ran.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_timestamp(folder: Path, backend: str) -> None:
    with running(built("timestamp", folder), "127.0.0.1:0", backend=backend) as (_, address):
        for _ in range(20):
            with connect(address) as client, client.makefile() as lines:
                assert re.fullmatch(r"\w{3} \w{3} .* \d{4}\n", lines.read())


@pytest.mark.parametrize("backend", BACKENDS)
def test_udp_time(folder: Path, backend: str) -> None:
    with running(built("udp_time", folder), "127.0.0.1:0", backend=backend) as (_, address):
        host, port = address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect((host, int(port)))
            # More than a batch, though less than the socket's buffer holds.
            for _ in range(100):
                client.send(b"what time is it?")
            for _ in range(100):
                assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", client.recv(100))
            client.send(b"x" * 5000)  # longer than the service cares for
            assert client.recv(100)


@pytest.mark.parametrize("backend", BACKENDS)
def test_chat(folder: Path, backend: str) -> None:
    with contextlib.ExitStack() as stack:
        _, address = stack.enter_context(running(built("chat", folder), "127.0.0.1:0", backend=backend))
        with connect(address) as a, connect(address) as b, connect(address) as c:
            # Who is heard by another has been accepted; so have all that came before.
            readers = [client.makefile("rb") for client in (a, b, c)]
            c.sendall(b"c is here\n")
            assert [reader.readline() for reader in readers[:2]] == [b"c is here\n"] * 2
            a.sendall(b"one\ntwo\nthr")
            a.sendall(b"ee\n")
            for reader in readers[1:]:
                assert [reader.readline() for _ in range(3)] == [b"one\n", b"two\n", b"three\n"]
            # A client that goes takes nobody along.
            b.close()
            c.sendall(b"still there?\n")
            assert readers[0].readline() == b"still there?\n"
            # A line without an end is passed on in pieces; nothing of it is lost.
            a.sendall(b"y" * 5000 + b"\n")
            assert readers[2].readline() == b"y" * 5000 + b"\n"
            for reader in readers:
                reader.close()


def test_a_chat_parts_with_who_does_not_read(folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        _, address = stack.enter_context(running(built("chat", folder), "127.0.0.1:0"))
        with connect(address) as talker, connect(address) as sleeper, connect(address) as listener:
            listener.sendall(b"ready\n")
            with talker.makefile("rb") as lines:
                assert lines.readline() == b"ready\n"
            line = b"z" * 1000 + b"\n"
            with listener.makefile("rb") as lines:
                for _ in range(20_000):
                    talker.sendall(line)
                    assert lines.readline() == line
            # 20 MB are more than the kernel and the chat keep for anybody: the end is there, after what was sent.
            with contextlib.suppress(ConnectionResetError):
                while sleeper.recv(1 << 20):
                    pass


def test_ticker(folder: Path) -> None:
    with running(built("ticker", folder), "5") as (process, _):
        assert process.stdout
        ticks = [int(process.stdout.readline().removeprefix("tick ")) for _ in range(3)]
        # On a busy machine one may stand for several.
        assert ticks == sorted(set(ticks))
        assert ticks[0] >= 1
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR1)
        while (line := process.stdout.readline()).startswith("tick "):
            pass
        assert re.fullmatch(r"\d+ ticks, \d+ turns, idle for \d+ ms\n", line)
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=10)
        assert re.search(r"good-bye after \d+ ticks\n$", out)
        assert (process.returncode, errors) == (0, "")
    for wrong in ("0", "-1", "x", "1x", "99999999999"):
        assert subprocess.run([built("ticker", folder), wrong], capture_output=True, timeout=10).returncode == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_worker(folder: Path, backend: str) -> None:
    numbers = [12, 1, 97, 0, 1_000_003 * 1_000_033, 2**63, *range(1000, 1400)]
    ran = subprocess.run(
        [built("worker", folder)],
        input="".join(f"{number}\n" for number in numbers),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "FASTSOCK_BACKEND": backend},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[:5] == ["12: 2 2 3", "1:", "97: 97", "0:", "1000036000099: 1000003 1000033"]
    assert [int(line.split(":")[0]) for line in lines] == numbers
    for line in lines[6:]:
        number, *primes = (int(word) for word in line.replace(":", "").split())
        product = 1
        for prime in primes:
            product *= prime
        assert product == number


@pytest.mark.parametrize("backend", BACKENDS)
def test_download(folder: Path, tmp_path: Path, backend: str) -> None:
    content = bytes(range(256)) * (12 << 12)  # 12 MiB: more than the sockets' buffers
    file = tmp_path / "file"
    file.write_bytes(content)
    with contextlib.ExitStack() as stack:
        _, address = stack.enter_context(running(built("download", folder), str(file), "127.0.0.1:0", backend=backend))
        with connect(address) as slow:
            for _ in range(3):
                with connect(address) as client, client.makefile("rb") as stream:
                    assert stream.read() == content
            # One that goes away in the midst of it.
            with connect(address) as client:
                assert client.recv(100)
            with slow.makefile("rb") as stream:
                assert stream.read() == content
    ran = subprocess.run([folder / "download", tmp_path, "127.0.0.1:0"], capture_output=True, text=True, timeout=10)
    assert (ran.returncode, ran.stderr) == (1, f"{tmp_path}: not a regular file\n")


@pytest.mark.parametrize("backend", BACKENDS)
def test_embed(folder: Path, backend: str) -> None:
    with running(built("embed", folder), "127.0.0.1:0", backend=backend) as (process, address):
        assert process.stdin
        assert process.stdout
        for number in range(1, 4):
            with connect(address) as client, client.makefile() as lines:
                assert lines.read() == "hello\n"
            process.stdin.write("count\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(f"{number} greeted in ")
        process.stdin.write("quit\n")
        process.stdin.flush()
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("args", [[], ["--edge"]], ids=["level", "edge"])
def test_echo(folder: Path, args: list[str]) -> None:
    with contextlib.ExitStack() as stack:
        _, port = stack.enter_context(running(built("echo", folder), "127.0.0.1", "0", *args))
        with connect(f"127.0.0.1:{port}") as client, client.makefile("rb") as stream:
            for length in (1, 1000, 200_000):
                client.sendall(b"e" * length)
                assert stream.read(length) == b"e" * length
            client.shutdown(socket.SHUT_WR)
            assert stream.read() == b""


@pytest.mark.parametrize("backend", BACKENDS)
def test_stream_echo(folder: Path, backend: str) -> None:
    with running(built("stream_echo", folder), "127.0.0.1:0", backend=backend) as (process, address):
        with connect(address) as client, connect(address) as idle, client.makefile("rb") as stream:
            for length in (1, 1000, 200_000):
                client.sendall(b"e" * length)
                assert stream.read(length) == b"e" * length
            # It is drained: nobody is kept waiting, and it says how many there were.
            process.send_signal(signal.SIGTERM)
            assert stream.read() == b""
            assert idle.recv(1) == b""
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "2 connections served\n")
