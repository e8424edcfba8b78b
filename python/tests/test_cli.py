"""``python -m fastsock``."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import PATIENCE, connect, receive

import fastsock


def cli(*args: str, cwd: Path) -> tuple[int, str, str]:
    """Status, output and errors of a command line."""
    done = subprocess.run(
        [sys.executable, "-m", "fastsock", *args], capture_output=True, text=True, timeout=PATIENCE, cwd=cwd
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script that tells what it sees, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "beside.py").write_text("value = 'from beside'\n")
    path = folder / "script.py"
    path.write_text(
        textwrap.dedent(
            """
            import sys
            import beside
            import socketserver
            import http.server
            print(__name__, sys.argv[1:], beside.value)
            print(socketserver.__name__, issubclass(http.server.ThreadingHTTPServer, socketserver.ThreadingMixIn))
            print(__file__ == sys.argv[0])
            if sys.argv[1:] == ["exit"]:
                sys.exit(3)
            if sys.argv[1:] == ["raise"]:
                raise LookupError("lost")
            """
        )
    )
    return path


def test_a_script_sees_its_own_arguments_name_and_folder(script: Path, tmp_path: Path) -> None:
    status, output, errors = cli("run", str(script), "one", "--two", "-m", cwd=tmp_path)
    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        "__main__ ['one', '--two', '-m'] from beside",
        "fastsock.socketserver True",
        "True",
    ]


def test_a_script_may_be_named_by_a_relative_path(script: Path, tmp_path: Path) -> None:
    status, output, _ = cli("run", "folder/script.py", cwd=tmp_path)
    assert status == 0
    assert output.startswith("__main__ [] from beside")


def test_the_exit_status_is_the_scripts(script: Path, tmp_path: Path) -> None:
    assert cli("run", str(script), "exit", cwd=tmp_path)[0] == 3
    status, _, errors = cli("run", str(script), "raise", cwd=tmp_path)
    assert status == 1
    assert errors.splitlines()[-1] == "LookupError: lost"


def test_a_module_is_run_as_python_does_it(script: Path, tmp_path: Path) -> None:
    status, output, errors = cli("run", "-m", "script", "one", cwd=script.parent)
    assert (status, errors) == (0, "")
    assert output.splitlines()[0] == "__main__ ['one'] from beside"


def test_a_package_is_run_by_its_main_module(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print(__package__, sys.argv[1:])")
    assert cli("run", "-m", "package", "x", cwd=tmp_path)[:2] == (0, "package ['x']\n")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["run", "missing.py"], "can't open file 'missing.py'"),
        (["run"], "run what?"),
        (["run", "-m"], "-m needs the name of a module"),
        (["run", "--frobnicate", "x.py"], "--frobnicate"),
        ([], "command"),
        (["walk"], "walk"),
    ],
    ids=["missing", "nothing", "module", "option", "command", "unknown"],
)
def test_a_mistake_is_told_in_a_sentence(args: list[str], says: str, tmp_path: Path) -> None:
    status, output, errors = cli(*args, cwd=tmp_path)
    assert status != 0
    assert says in errors
    assert "Traceback" not in errors
    assert output == ""


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["run", "--help"], ["run", "-h"]])
def test_help_shows_an_example(args: list[str], tmp_path: Path) -> None:
    status, output, _ = cli(*args, cwd=tmp_path)
    assert status == 0
    assert "python -m fastsock run server.py 8080" in output


def test_version_is_the_packages(tmp_path: Path) -> None:
    assert cli("--version", cwd=tmp_path)[:2] == (0, f"fastsock {fastsock.__version__}\n")


HTTP = """
import http.server, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"%d %d" % (threading.get_ident(), threading.active_count())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("bye", flush=True)
"""


def test_an_unchanged_threading_http_server_serves_two_hundred_kept_alive_clients_on_one_thread(
    tmp_path: Path,
) -> None:
    (tmp_path / "server.py").write_text(HTTP)
    process = subprocess.Popen(
        [sys.executable, "-m", "fastsock", "run", "server.py"], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(200)]
        answers = set()
        for _ in range(2):
            for client in clients:
                client.request("GET", "/")
                answers.add(client.getresponse().read())
        for client in clients:
            client.close()
        assert len(answers) == 1
        assert answers.pop().endswith(b" 1")
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "bye\n"
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def test_pythons_own_http_server_module_runs_on_the_loop(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("hello")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "fastsock", "run", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(" port ")[1].split()[0])
        with connect(("127.0.0.1", port)) as idle:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            client.request("GET", "/page.txt")
            assert client.getresponse().read() == b"hello"
            client.close()
            threads = len(os.listdir(f"/proc/{process.pid}/task"))
            idle.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
            assert receive(idle, 8) == b"HTTP/1.0"
        assert threads == 1
    finally:
        process.kill()
        process.communicate()
