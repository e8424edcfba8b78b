"""`make bench-c`: its arithmetic, its tables, and the counter of allocations."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bench_c
import c_build
import c_tables
import c_targets
import heap
from c_records import PHASES, Figures, interval, quotients
from records import Result
from registry import BASE, BENCH, BUFFEREVENT, C_SERVERS, C_STREAM, SCENARIOS, UV, C
from setup_peers import c_compiler, c_program


def runs(*cpus: float) -> list[Result]:
    return [{"server_us_per_msg": cpu, "errors": 0} for cpu in cpus]


def measured() -> Figures:
    """Figures of a few servers, in one scenario, with which half of its targets are missed."""
    figures = Figures()
    figures.speed["churn-50"] = {BASE: runs(10, 20, 40), C: runs(11, 20, 40), UV: runs(10, 10, 20)}
    figures.memory[C_STREAM] = {"heap_per_conn": 204.6, "blocks_per_conn": 2.0, "bytes_per_conn": 196.0, "errors": 0}
    figures.timers = {C: [dict.fromkeys(PHASES, 30.0)], UV: [dict.fromkeys(PHASES, 60.0)]}
    figures.versions = {C: "fastsock 9", UV: "libuv 8"}
    return figures


def test_costs_are_compared_round_by_round() -> None:
    figures = measured()
    assert figures.cost("churn-50", C, BASE) == [1.1, 1.0, 1.0]
    assert figures.cost("churn-50", C, BUFFEREVENT) == []
    assert quotients([1.0, None, 3.0], [2.0, 2.0, None]) == [0.5]


def test_a_run_with_errors_counts_for_nothing() -> None:
    figures = measured()
    figures.speed["churn-50"][C][1]["errors"] = 3
    assert figures.cost("churn-50", C, BASE) == [1.1, 1.0]
    assert figures.troubles() == [f"churn-50, {C}: 3 errors"]


def test_the_interval_of_a_median() -> None:
    # 9 values: the second and the eighth, 1 - 2 * (1 + 9) / 512 = 96 %. 5 values are too few for 95 %.
    assert interval([float(value) for value in range(9)]) == (1.0, 7.0)
    assert interval([3.0, 1.0, 2.0, 5.0, 4.0]) == (1.0, 5.0)
    assert interval([1.0]) is None


def test_targets_are_met_missed_or_not_measured() -> None:
    figures = measured()
    lines = {target: target.line(figures) for target in c_targets.TARGETS}
    against_raw = next(line for line in lines.values() if line.startswith(f"| churn-50 | {C} / {BASE} "))
    assert against_raw == f"| churn-50 | {C} / {BASE} | 1.02 | 1.000 (1.000-1.100) | met |"
    against_uv = next(line for line in lines.values() if line.startswith(f"| churn-50 | {C} / {UV} "))
    assert "| 1.00 | 2.000 (1.100-2.000) | **missed** |" in against_uv
    idle = next(line for line in lines.values() if line.startswith(f"| idle-5000 | {C_STREAM},"))
    assert idle.endswith("| 300 | 204.6 | met |")
    assert any("not measured" in line for line in lines.values())
    assert not all(target.met(figures) for target in c_targets.TARGETS)


def test_targets_name_what_there_is() -> None:
    assert set(c_targets.SPEED) <= {scenario.name for scenario in SCENARIOS}
    assert [name for name, *_ in c_build.SERVERS] == [server.name for server in C_SERVERS]


def test_the_tables_have_what_was_measured() -> None:
    text = c_tables.whole(measured(), ["--rounds", "3"], 0.5)
    assert text.startswith("`make bench-c ARGS='--rounds 3'` on ")
    assert "fastsock 9; libuv 8" in text and "Medians of 3 interleaved rounds" in text
    assert f"| {C} | 20.00, 1.00 (1.00-1.10) |" in text
    assert f"| {C_STREAM} | 205 | 2.0 | 196 |" in text
    assert "| libuv 8 | 60, 2.00 |" in text


def test_only_what_is_between_the_markers_is_replaced() -> None:
    text = f"before\n{c_tables.BEGIN}\nold\n{c_tables.END}\nbehind\n"
    assert c_tables.splice(text, "\nnew\n\n") == f"before\n{c_tables.BEGIN}\nnew\n{c_tables.END}\nbehind\n"
    assert c_tables.splice("before", "new") is None
    assert c_tables.splice(f"{c_tables.END} {c_tables.BEGIN}", "new") is None


@pytest.mark.parametrize(
    "argv", [["--only", "no-such"], ["--rounds", "0"], ["--dur", "nan"], ["--write", "--only", "timers"]]
)
def test_what_makes_no_sense_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        bench_c.arguments(argv)
    assert refused.value.code == 2


def test_parts_are_chosen_by_how_they_begin() -> None:
    assert [scenario.name for scenario in bench_c.chosen(["echo-1"])] == ["echo-1k-100", "echo-16k-50"]
    assert [scenario.name for scenario in bench_c.chosen([])] == list(c_targets.SPEED)
    assert bench_c.chosen(["timers"]) == []


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("heap") / "heap.so"
    assert c_program(c_compiler(), str(library), BENCH / "servers/heap.c", "-shared", "-fPIC")
    return library


def test_the_counter_counts_what_a_program_allocates(counter: Path, tmp_path: Path) -> None:
    script = (
        "import ctypes, mmap, os, struct\n"
        "file = os.open(os.environ['FASTSOCK_HEAP'], os.O_RDONLY)\n"
        "counts = mmap.mmap(file, 16, access=mmap.ACCESS_READ)\n"
        "c = ctypes.CDLL(None)\n"
        "for name in ('malloc', 'calloc', 'realloc', 'memalign'): getattr(c, name).restype = ctypes.c_void_p\n"
        "p = ctypes.c_void_p\n"
        "size = ctypes.c_size_t\n"
        "buffer, said = bytearray(16), []\n"
        "def now(): return struct.unpack('qq', counts[:])\n"
        "def change(what):\n"
        "    before = now(); got = what(); after = now()\n"
        "    said.append((after[0] - before[0], after[1] - before[1])); return got\n"
        "block = change(lambda: c.malloc(size(1000)))\n"
        "block = change(lambda: c.realloc(p(block), size(3000)))\n"
        "change(lambda: c.free(p(block)))\n"
        "block = change(lambda: c.calloc(size(10), size(100)))\n"
        "change(lambda: c.realloc(p(block), size(0)))\n"
        "print(said)\n"
    )
    file = tmp_path / "counts"
    file.write_bytes(bytes(heap.COUNTS.size))
    environment = {"LD_PRELOAD": str(counter), "FASTSOCK_HEAP": str(file)}
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    said = eval(ran.stdout)
    # Python's own small objects do not go through malloc; what ctypes takes for a call does, and is given back.
    assert [blocks for _, blocks in said] == [1, 0, -1, 1, -1]
    assert [round(abs(bytes_), -3) for bytes_, _ in said] == [1000, 2000, 3000, 1000, 1000]


def test_the_counter_wants_its_file(counter: Path) -> None:
    environment = {"LD_PRELOAD": str(counter)}
    ran = subprocess.run(["true"], check=False, capture_output=True, text=True, env=environment)
    assert ran.returncode == 1 and "FASTSOCK_HEAP must name a file" in ran.stderr


def test_memory_of_a_server_by_its_allocations(counter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "COUNTER", counter)
    source = BENCH / "servers/epoll_lt.c"
    program = counter.parent / "epoll_lt"
    assert c_program(c_compiler(), str(program), source)
    assert heap.idle([str(program), "127.0.0.1", "0"], 200) == {
        "heap_per_conn": 0.0, "blocks_per_conn": 0.0, "bytes_per_conn": pytest.approx(0, abs=200), "conns": 200,
        "errors": 0,
    }  # fmt: skip
    assert "fatal" in heap.idle(["/nonexistent/server"], 1)


def test_timers_that_fire_wrongly_are_found_out(tmp_path: Path) -> None:
    """A library of timers of which one that was cancelled fires all the same."""
    source = tmp_path / "wrong.c"
    source.write_text(
        f'#include "{BENCH}/timers/timers.h"\n'
        "static size_t set_last, calls;\n"
        'static const char *library(void) { return "wrong"; }\n'
        "static int room(size_t n) { (void)n; return 0; }\n"
        "static int set(size_t i, uint32_t ms) { (void)i, (void)ms; return 0; }\n"
        "static int again(size_t i, uint32_t ms) { set_last = i; (void)ms; return 0; }\n"
        "static int cancel(size_t i) { (void)i; return 0; }\n"
        "static void last(void) { calls++; }\n"
        "static int begin(void (*work)(void)) {\n"
        "    work();\n"
        "    for (size_t i = 0; i < kept; i++) due(set_last);\n"
        "    return 0;\n"
        "}\n"
    )
    program = tmp_path / "wrong"
    assert c_program(c_compiler(), str(program), source)
    ran = subprocess.run([program, "100"], check=False, capture_output=True, text=True)
    assert ran.returncode == 1 and "10 timers fired, 9 of them wrongly" in ran.stderr
