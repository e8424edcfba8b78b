"""The library as it is installed: programs find it by pkg-config, by CMake, statically, from ctypes and from cffi; the
manual is complete and clean, and its server is a server; and all of it goes away again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PREFIX = "/opt/fastsock"
TIMESTAMP = ROOT / "examples" / "c" / "timestamp.c"


def run(*command: object, **environment: str) -> str:
    """What a command that must succeed writes to its standard output."""
    words = [str(word) for word in command]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})
    assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def needs(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is missing")


def make(target: str, destination: Path) -> None:
    run("make", "-s", "-C", ROOT, target, f"PREFIX={PREFIX}", f"DESTDIR={destination}", f"PYTHON={sys.executable}")


@pytest.fixture(scope="session")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    make("install", path)
    return path


@pytest.fixture(scope="session")
def prefix(destination: Path) -> Path:
    return destination / PREFIX.lstrip("/")


@pytest.fixture(scope="session")
def header(prefix: Path) -> str:
    return (prefix / "include" / "fastsock.h").read_text()


def functions(header: str) -> list[str]:
    return re.findall(r"^(?:[a-z]\w* )+\*?(fsock_\w+)\(", header, re.MULTILINE)


def serves(program: Path, libraries: Path | None) -> None:
    """The timestamp server answers with a line that has the year in it."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries) if libraries else ""}
    with subprocess.Popen([program, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout
            found = re.match(r"READY 127\.0\.0\.1:(\d+)$", server.stdout.readline())
            assert found
            address = ("127.0.0.1", int(found[1]))
            with socket.create_connection(address, timeout=10) as client, client.makefile() as lines:
                assert re.search(r" \d{4}\n$", lines.read())
        finally:
            server.kill()


def test_everything_is_in_its_place(prefix: Path, header: str) -> None:
    version = re.search(r'FSOCK_VERSION_STRING "(.+)"', header)
    assert version
    lib = prefix / "lib"
    assert os.readlink(lib / "libfastsock.so.0") == f"libfastsock.so.{version[1]}"
    assert (lib / "libfastsock.so").resolve() == (lib / f"libfastsock.so.{version[1]}").resolve()
    assert "@" not in (lib / "pkgconfig" / "fastsock.pc").read_text()
    for file in (lib / "cmake" / "fastsock").iterdir():
        assert "@" not in file.read_text(), file
    for path in prefix.rglob("*"):
        if path.is_file() and not path.is_symlink():
            executable = path.name.startswith("libfastsock.so")
            assert path.stat().st_mode & 0o777 == (0o755 if executable else 0o644), path
    assert (lib / "libfastsock.a").stat().st_size > 100_000


def pkg_config(destination: Path, *words: str) -> list[str]:
    needs("pkg-config")
    path = destination / PREFIX.lstrip("/") / "lib" / "pkgconfig"
    return run(
        "pkg-config", *words, "fastsock", PKG_CONFIG_PATH=str(path), PKG_CONFIG_SYSROOT_DIR=str(destination)
    ).split()


def test_pkg_config_finds_it(destination: Path, prefix: Path, header: str, tmp_path: Path) -> None:
    program = tmp_path / "timestamp"
    run("cc", TIMESTAMP, *pkg_config(destination, "--cflags", "--libs"), "-o", program)
    assert f'"{pkg_config(destination, "--modversion")[0]}"' in header
    assert "libfastsock.so.0" in run("readelf", "-d", program)
    serves(program, prefix / "lib")


def test_it_links_statically(destination: Path, prefix: Path, tmp_path: Path) -> None:
    program = tmp_path / "timestamp"
    # The linker takes the archive for this one library.
    libraries = pkg_config(destination, "--cflags", "--libs", "--static")
    place = libraries.index("-lfastsock")
    libraries[place : place + 1] = ["-Wl,-Bstatic", "-lfastsock", "-Wl,-Bdynamic"]
    run("cc", TIMESTAMP, *libraries, "-o", program)
    assert "libfastsock" not in run("readelf", "-d", program)
    serves(program, None)


def test_cmake_finds_it(prefix: Path, tmp_path: Path) -> None:
    needs("cmake")
    (tmp_path / "CMakeLists.txt").write_text(
        f"""
        cmake_minimum_required(VERSION 3.10)
        project(try C)
        find_package(fastsock 0.1 REQUIRED CONFIG)
        add_executable(shared {TIMESTAMP})
        target_link_libraries(shared fastsock::fastsock)
        add_executable(static {TIMESTAMP})
        target_link_libraries(static fastsock::static)
        find_package(fastsock 1.0 CONFIG QUIET)
        if(fastsock_FOUND)
            message(FATAL_ERROR "0.1 is not 1.0")
        endif()
        """
    )
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    # CMake has put the path into the one program, and the library into the other.
    serves(build / "shared", None)
    serves(build / "static", None)


def test_ctypes_loads_it(prefix: Path) -> None:
    library = ctypes.CDLL(str(prefix / "lib" / "libfastsock.so.0"))
    callback_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p)
    fired = []
    loop = ctypes.c_void_p()
    assert library.fsock_loop_new(None, ctypes.byref(loop)) == 0
    callback = callback_type(lambda loop, token, passed, user: fired.append(passed))
    start = library.fsock_timer_start
    start.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint32, callback_type]
    start.argtypes += [ctypes.c_void_p] * 3
    assert start(loop, 1000, 0, 0, callback, None, None, None) == 0
    assert library.fsock_loop_run(loop) == 0
    assert library.fsock_loop_free(loop) == 0
    assert fired == [1]


def test_cffi_reads_the_header_as_it_is(prefix: Path, tmp_path: Path) -> None:
    cffi = pytest.importorskip("cffi")
    # What a preprocessor makes of it, without the system's headers, whose types cffi knows.
    for name in ("stddef.h", "stdint.h"):
        (tmp_path / name).touch()
    declarations = run("cc", "-E", "-P", "-nostdinc", f"-I{tmp_path}", prefix / "include" / "fastsock.h")
    ffi = cffi.FFI()
    ffi.cdef(declarations)
    library = ffi.dlopen(str(prefix / "lib" / "libfastsock.so.0"))
    fired = []

    def on_time(loop: object, token: int, passed: int, user: object) -> None:
        fired.append(ffi.from_handle(user))

    callback = ffi.callback("fsock_timer_callback", on_time)

    loop = ffi.new("fsock_loop **")
    assert library.fsock_loop_new(ffi.NULL, loop) == 0
    user = ffi.new_handle("hello")
    assert library.fsock_timer_start(loop[0], 1000, 0, 0, callback, user, ffi.NULL, ffi.NULL) == 0
    assert library.fsock_loop_run(loop[0]) == 0
    stats = ffi.new("fsock_stats *")
    stats.size = ffi.sizeof("fsock_stats")
    assert library.fsock_loop_stats(loop[0], stats) == 0
    assert stats.timers_fired == 1
    assert library.fsock_loop_free(loop[0]) == 0
    assert fired == ["hello"]
    assert ffi.string(library.fsock_err_name(-10001)) == b"FSOCK_E_STALE"


def test_every_function_has_a_page_and_every_page_is_clean(prefix: Path, header: str) -> None:
    pages = list((prefix / "share" / "man").glob("man*/*"))
    names = {page.name for page in pages}
    missing = [name for name in functions(header) if f"{name}.3" not in names]
    assert not missing
    text = "".join(page.read_text() for page in pages)
    linked = {f"{name}.{section}" for name, section in re.findall(r"\\fB(f\w+)\\fR\((\d)\)", text)}
    assert linked <= names, linked - names
    needs("groff")
    ran = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", *pages], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_manuals_programs_are_programs(destination: Path, prefix: Path, tmp_path: Path) -> None:
    """What a new user types in, in an empty folder, from the page alone."""
    page = (prefix / "share" / "man" / "man7" / "fastsock.7").read_text()
    blocks = re.findall(r"^\.nf\n(.*?)\n\.fi$", page, re.DOTALL | re.MULTILINE)
    programs = [re.sub(r"^\\&", "", block, flags=re.MULTILINE).replace(r"\-", "-") for block in blocks]
    programs = [program.replace(r"\e", "\\") for program in programs if "int main" in program]
    assert len(programs) == 2
    words = [*pkg_config(destination, "--cflags", "--libs"), "-Wall", "-Wextra", "-pedantic", "-Werror"]
    for name, text in zip(("counter", "timestamp"), programs, strict=True):
        (tmp_path / f"{name}.c").write_text(text)
        run("cc", tmp_path / f"{name}.c", *words, "-o", tmp_path / name)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")}
    counted = subprocess.run(
        [tmp_path / "counter"], input="hello\n", env=environment, capture_output=True, text=True, timeout=10
    )
    assert counted.stdout == "6 bytes\n"
    serves(tmp_path / "timestamp", prefix / "lib")


def test_it_goes_away_again(tmp_path: Path) -> None:
    make("install", tmp_path)
    make("uninstall", tmp_path)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    with contextlib.suppress(FileNotFoundError):
        assert not list((tmp_path / PREFIX.lstrip("/") / "lib" / "cmake").iterdir())
