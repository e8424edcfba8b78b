#!/usr/bin/env python3
"""Makes the manual from the header: man.py HEADER EXAMPLE FOLDER writes man3/*.3, a page for each function, callback
and struct, and man7/fastsock.7, the way in. What they say is what the header says: no second text to keep up to date.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

# In the header's order of nouns: the functions of a page's neighbourhood, for SEE ALSO and for the overview.
GROUPS = {
    "The loop": r"fsock_loop_",
    "Descriptors": r"fsock_(add|add_callback|modify|rearm|remove)$",
    "Timers": r"fsock_timer_",
    "Waking from other threads": r"fsock_waker_",
    "Work from other threads": r"fsock_submit",
    "Signals": r"fsock_signal_",
    "Child processes": r"fsock_child_",
    "Listening sockets": r"fsock_listen",
    "Buffered streams": r"fsock_stream_",
    "Servers": r"fsock_server_",
    "Addresses as text": r"fsock_address_",
    "Datagrams in batches": r"fsock_(recv|send)_batch_",
    "Errors and versions": r"fsock_(strerror|err_name|version|set_log)",
}
ELSEWHERE = """\
Installed under a prefix that the system does not know of, the library is found when pkg-config is told by
PKG_CONFIG_PATH=PREFIX/lib/pkgconfig, and the dynamic linker by -Wl,-rpath,PREFIX/lib on the compiler's command line.

CMake finds it by find_package(fastsock), as the targets fastsock::fastsock and fastsock::static; elsewhere by
CMAKE_PREFIX_PATH."""
LABELS = {"Returns": "RETURN VALUE", "Errors": "ERRORS", "Ownership": "OWNERSHIP", "Thread": "THREADS"}


@dataclass
class Item:
    """A declaration and its comment."""

    kind: str
    name: str
    code: str
    comment: str
    members: list[tuple[str, str]] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What NAME says: the first sentence, without its end."""
        first = re.split(r"(?<=[.:;])\s", self.comment.split("\n\n")[0].replace("\n", " "))[0].rstrip(".:;")
        return first[0].lower() + first[1:] if not first[:2].isupper() else first


def plain(comment: str) -> str:
    """A comment's text: paragraphs with an empty line between."""
    inside = re.sub(r"^/\*+|\*+/$", "", comment.strip())
    return "\n".join(re.sub(r"^\s*\* ?", "", line).rstrip() for line in inside.split("\n")).strip()


COMMENT = r"(/\*\*(?:[^*]|\*(?!/))*\*/)\n"


def constants(header: str) -> list[Item]:
    found = re.finditer(COMMENT + r"#define (FSOCK_\w+) (.+)", header)
    return [Item("constant", m[2], m[3], plain(m[1])) for m in found]


def items(header: str) -> list[Item]:
    result = []
    for m in re.finditer(COMMENT + r"((?:typedef|[a-z]\w* )[^#]*?;)\n(?=\n|#)", header):
        code = m[2]
        if code.startswith("typedef struct") and "{" in code:
            name = code.rstrip(";").split()[-1]
            members = re.findall(r"(/\*\*(?:[^*]|\*(?!/))*\*/)\s*([^;/]+;)", code)
            bare = re.sub(r"\n?[ \t]*/\*\*(?:[^*]|\*(?!/))*\*/", "", code)
            result.append(Item("struct", name, bare, plain(m[1]), [(plain(c), d.strip()) for c, d in members]))
        elif code.startswith("typedef struct"):
            result.append(Item("opaque", code.rstrip(";").split()[-1], code, plain(m[1])))
        elif code.startswith("typedef"):
            name = re.search(r"\(\*(\w+)\)", code)
            assert name
            result.append(Item("callback", name[1], code, plain(m[1])))
        else:
            result.append(Item("function", re.split(r"[ *]", code.split("(")[0])[-1], code, plain(m[1])))
    return result


def roff(text: str) -> str:
    """Text that no line of means anything to roff."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def prose(text: str) -> str:
    """Paragraphs, with our own names in bold."""
    marked = re.sub(r"\bF?fsock_\w+|\bFSOCK_\w+", lambda m: f"\0{m[0]}\1", text)
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", marked):
        if re.match(r" {4}", paragraph):
            paragraphs.append(".RS 4\n.nf\n" + roff(paragraph.replace("\0", "").replace("\1", "")) + "\n.fi\n.RE")
        else:
            paragraphs.append(roff(" ".join(paragraph.split())))
    return "\n.PP\n".join(paragraphs).replace("\0", r"\fB").replace("\1", r"\fR")


def code(text: str) -> str:
    return ".nf\n" + roff(text) + "\n.fi"


def header_line(name: str, section: int, version: str, title: str) -> str:
    # No date: the same header makes the same pages.
    origin = '.\\" Written by ffi/man.py from fastsock.h: do not edit.'
    return f'{origin}\n.TH {name} {section} "" "fastsock {version}" "{title}"\n.nh\n.ad l\n'


def sections(comment: str) -> tuple[str, dict[str, str]]:
    """A comment's description, and what it says after Returns: and the other words."""
    parts = re.split(r"(?:^|(?<=[.\s]))(Returns|Errors|Ownership|Thread): ", comment)
    told = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
    since = re.search(r"\s*Since (\S+)\.$", comment)
    if since:
        told["Since"] = since[1]
    told = {label: re.sub(r"\s*Since \S+\.$", "", text) for label, text in told.items()}
    return parts[0].strip(), told


CODES = r"(?:-E[A-Z0-9]+|FSOCK_E_\w+)"
CLAUSE = re.compile(rf"({CODES}(?:, {CODES}(?! \())*)(?: \(((?:[^()]|\([^()]*\))*)\))?(?:[,;:] (?:and )?|$)")


def split_errors(text: str, own: dict[str, str]) -> list[tuple[str, str]]:
    """`-EINVAL (a null pointer), -EBUSY (...)` as pairs; a code without a reason gets its general one. What is no list
    of codes is an item without a name."""
    pairs, rest = [], " ".join(text.split()).rstrip(".")
    while rest:
        clause = CLAUSE.match(rest)
        if not clause:
            pairs.append(("", capital(rest) + "."))
            break
        for name in clause[1].split(", "):
            general = own.get(name) or os.strerror(getattr(errno, name.lstrip("-"), 0))
            pairs.append(
                (name, capital(clause[2] if clause[2] and name == clause[1].split(", ")[-1] else general) + ".")
            )
        rest = rest[clause.end() :]
    return pairs


def capital(text: str) -> str:
    """A sentence's beginning; a name of ours stays as it is."""
    return text if re.match(r"\w*_|[a-z]+[->]", text) else text[:1].upper() + text[1:]


def mentioned(item: Item, by_name: dict[str, Item]) -> list[Item]:
    """The callbacks and structs in a function's prototype."""
    return [by_name[n] for n in dict.fromkeys(re.findall(r"fsock_\w+", item.code)) if n in by_name and n != item.name]


def neighbours(name: str, all_items: list[Item]) -> list[str]:
    for pattern in GROUPS.values():
        if re.match(pattern, name):
            return [i.name for i in all_items if i.kind == "function" and re.match(pattern, i.name) and i.name != name]
    return []


def page(item: Item, all_items: list[Item], every_constant: list[Item], version: str) -> str:
    by_name = {i.name: i for i in all_items}
    own = {c.name: c.comment.split(".")[0] for c in every_constant if c.name.startswith("FSOCK_E_")}
    description, told = sections(item.comment)
    related = (
        [i for i in mentioned(item, by_name) if i.kind in ("callback", "struct")] if item.kind == "function" else []
    )
    lines = [header_line(item.name, 3, version, "Library Functions Manual")]
    lines += [".SH NAME", f"{item.name} \\- {roff(item.summary)}", ".SH SYNOPSIS", code("#include <fastsock.h>"), ".PP"]
    if item.kind == "callback" or item.kind == "function":
        lines += [code(other.code) for other in related if other.kind == "callback"]
    lines += [
        code(item.code),
        ".PP",
        "Link with \\fI\\-lfastsock\\fR: \\fBpkg\\-config \\-\\-cflags \\-\\-libs fastsock\\fR.",
    ]
    lines += [".SH DESCRIPTION", prose(description)]
    for comment, declaration in item.members:
        lines += [".TP", f"\\fB{roff(declaration.rstrip(';'))}\\fR", prose(comment)]
    for other in related:
        if other.name != "fsock_drop":
            lines += [f'.SS "{other.kind} {other.name}"', prose(sections(other.comment)[0])]
            for comment, declaration in other.members:
                lines += [".TP", f"\\fB{roff(declaration.rstrip(';'))}\\fR", prose(comment)]
    text = item.comment + "".join(o.comment + "".join(c for c, _ in o.members) for o in related)
    wanted = set(re.findall(r"FSOCK_\w+", text))
    prefixes = [w for w in wanted if w.endswith("_")]
    used = [c for c in every_constant if c.name in wanted or any(c.name.startswith(p) for p in prefixes)]
    used = [c for c in used if not c.name.startswith("FSOCK_E_")]
    if used:
        lines += ['.SS "Constants"']
        for constant in used:
            lines += [".TP", f"\\fB{constant.name}\\fR", prose(constant.comment)]
    for label, title in LABELS.items():
        if label == "Errors" and label in told and told[label] != "none.":
            lines += [f".SH {title}"]
            for name, why in split_errors(told[label], own):
                lines += [".TP", f"\\fB{roff(name)}\\fR", prose(why)] if name else [prose(why)]
        elif label in told:
            lines += [f".SH {title}", prose(capital(told[label]))]
    if "Since" in told:
        lines += [".SH HISTORY", f"Since fastsock {told['Since']}."]
    others = neighbours(item.name, all_items) if item.kind == "function" else []
    users = [i.name for i in all_items if i.kind == "function" and item.kind != "function" and item.name in i.code]
    see = [f"\\fB{n}\\fR(3)" for n in (others + users)] + ["\\fBfastsock\\fR(7)"]
    lines += [".SH SEE ALSO", ",\n".join(see)]
    return "\n".join(lines) + "\n"


def overview(header: str, all_items: list[Item], every_constant: list[Item], example: str, version: str) -> str:
    intro = plain(header[: header.index("*/") + 2]).replace(
        "Written by cbindgen from the library's source: do not edit.", ""
    )
    first, _, rest = intro.partition("\n\n")
    program, _, rules = rest.partition("\n\n") if rest.startswith("    ") else ("", "", rest)
    lines = [header_line("fastsock", 7, version, "Miscellaneous Information Manual")]
    lines += [".SH NAME", "fastsock \\- one loop for descriptors, timers, signals, children and listeners"]
    lines += [".SH SYNOPSIS", code("#include <fastsock.h>"), ".PP"]
    lines += [code("cc program.c $(pkg-config --cflags --libs fastsock) -o program"), ".SH DESCRIPTION"]
    lines += [prose(capital(first.removeprefix("fastsock: "))), ".PP", prose(rules.strip())]
    lines += [".SH FUNCTIONS"]
    for title, pattern in GROUPS.items():
        lines += [f'.SS "{title}"']
        for item in all_items:
            if item.kind == "function" and re.match(pattern, item.name):
                lines += [".TP", f"\\fB{item.name}\\fR(3)", roff(item.summary) + "."]
    types = [i for i in all_items if i.kind in ("callback", "struct", "opaque")]
    lines += ['.SS "Types"']
    for item in types:
        section = "" if item.kind == "opaque" else "(3)"
        lines += [".TP", f"\\fB{item.name}\\fR{section}", roff(item.summary) + "."]
    lines += [".SH ERRORS", "A system's error comes as its number, negated: \\fB\\-EINVAL\\fR. The library's own are:"]
    for constant in every_constant:
        if constant.name.startswith("FSOCK_E_"):
            lines += [".TP", f"\\fB{constant.name}\\fR", prose(constant.comment)]
    lines += [".SH ENVIRONMENT", ".TP", "\\fBFASTSOCK_BACKEND\\fR"]
    lines += ["epoll, poll or select: what a loop waits with that was made without a choice of its own."]
    program = "#include <fastsock.h>\n#include <stdio.h>\n#include <unistd.h>\n\n" + textwrap.dedent(program)
    lines += [".SH EXAMPLES", "What comes from the standard input is counted:", ".PP", code(program), ".PP"]
    lines += ["A whole server:", ".PP", code(example), ".PP"]
    lines += [code("cc timestamp.c $(pkg-config --cflags --libs fastsock) -o timestamp && ./timestamp 127.0.0.1:1313")]
    lines += [".SH NOTES", prose(ELSEWHERE)]
    lines += [".SH SEE ALSO", "\\fBepoll\\fR(7),\n\\fBpoll\\fR(2),\n\\fBselect\\fR(2),\n\\fBpkg\\-config\\fR(1)"]
    return "\n".join(lines) + "\n"


def main() -> None:
    header_path, example_path, folder = (Path(argument) for argument in sys.argv[1:4])
    header = header_path.read_text()
    version = re.search(r'FSOCK_VERSION_STRING "([^"]+)"', header)
    assert version
    all_items, every_constant = items(header), constants(header)
    declared = set(re.findall(r"^(?:[a-z]\w* )+\*?(fsock_\w+)\(", header, re.MULTILINE))
    missed = declared - {i.name for i in all_items}
    grouped = {n for n in declared if any(re.match(p, n) for p in GROUPS.values())}
    if missed or grouped != declared:
        sys.exit(f"man.py does not understand {missed}, and has no group for {declared - grouped}")
    man3, man7 = folder / "man3", folder / "man7"
    for place in (man3, man7):
        place.mkdir(parents=True, exist_ok=True)
        for old in place.iterdir():
            old.unlink()
    for item in all_items:
        if item.kind != "opaque":
            (man3 / f"{item.name}.3").write_text(page(item, all_items, every_constant, version[1]))
    text = overview(header, all_items, every_constant, example_path.read_text(), version[1])
    (man7 / "fastsock.7").write_text(text)


if __name__ == "__main__":
    main()
