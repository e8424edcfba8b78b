"""The programs in the README are programs: they are taken out of it, built and run."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"


def block(language: str) -> str:
    """The README's one block in this language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{len(found)} blocks of {language}"
    return str(found[0])


def test_the_python_program_echoes_lines(tmp_path: Path) -> None:
    text = block("python").replace("7777", "0")
    text = text.replace(
        "    server.serve_forever()", "    print(server.server_address[1], flush=True)\n    server.serve_forever()"
    )
    program = tmp_path / "server.py"
    program.write_text(text)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client, client.makefile("rb") as lines:
                client.sendall(b"one\ntwo\n")
                assert [lines.readline(), lines.readline()] == [b"one\n", b"two\n"]
        finally:
            server.kill()


def test_the_c_program_copies_its_input(tmp_path: Path) -> None:
    source = tmp_path / "cat.c"
    source.write_text(block("c"))
    program = tmp_path / "cat"
    # The README's own command, from the project's folder.
    command = re.search(r"make native && (cc .*?) && date", README)
    assert command
    words = command[1].replace("cat.c", str(source)).replace("-o cat", f"-o {program}")
    words = re.sub(r"(\$PWD/)?target/release", str(RELEASE), words)
    words = words.replace("cc ", "cc -std=c99 -Wall -Wextra -pedantic -Werror ")
    subprocess.run(words, shell=True, cwd=ROOT, check=True)
    ran = subprocess.run([program], input="hello\n", capture_output=True, text=True, timeout=10, check=True)
    assert ran.stdout == "hello\n"


def test_the_commands_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z][a-z-]*)", README)) - {"and"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for path in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_module_page_names_what_there_is() -> None:
    import fastsock

    page = (ROOT / "python" / "README.md").read_text()
    missing = [name for name in fastsock.__all__ if f"`{name}" not in page and name != "__version__"]
    assert not missing, textwrap.shorten(f"python/README.md does not mention {missing}", 200)
