"""What a run leaves to read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks.measures import Bench, every_measure
from benchmarks.report.comparison import comparison
from benchmarks.report.files import read, write
from benchmarks.report.numbers import number
from benchmarks.report.page import KINDS, page
from benchmarks.report.paths import ROOT, shortened
from benchmarks.report.pictures import CURVE, PICTURES
from benchmarks.results import Absence, Sample
from benchmarks.servers.waitress import Waitress
from tests.benchmarks.made_up import SPEED, Speed, results, sample, usual


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.6, "12,346"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0.01234, "0.0123"),
        (0, "0"),
        (7.0, "7"),
    ],
)
def test_numbers_have_three_digits_that_matter(value, text):
    """The others are noise."""
    assert number(value) == text


PAGE = """\
# Benchmarks

A full run of 2026-01-02 03:04, 1.5 minutes.

- Machine: processors 2, processor Abacus
- Versions: passenger 6.0, passtwist 0.1
- Noise: the rounds of nine rows in ten lie within 20 %; smaller differences mean \
nothing.

HOW TO READ

## Summary

|  | Figure | passtwist | Passenger | Best peer | Times as good as Passenger | \
Times as good as best peer |
| --- | --: | --: | --: | --: | --: | --: |
| Speed: Short way | Requests/s ↑ | 200 /s (passtwist smart) | \
100 /s (passenger builtin) | 400 /s (uwsgi) | 2.00 (2.00–2.00) | 0.50 (0.50–0.50) |

## Speed

How fast it is.

![Speed](speed.svg)

### Short way

| Server | Requests/s ↑ | Wait, ms ↓ | Errors | Times Passenger | Times best peer | ± |
| --- | --: | --: | --: | --: | --: | --: |
| uwsgi | 400 | 4 | 0 | 4.00 (4.00–4.00) | 1.00 (1.00–1.00) | 20 % |
| **passtwist smart** | 200 | 10 | 0 | 2.00 (2.00–2.00) | 0.50 (0.50–0.50) | 20 % |
| passenger builtin | 100 | 30 | 0 | 1.00 (1.00–1.00) | 0.25 (0.25–0.25) | 20 % |

Times as good in the other columns:

| Server | Figure | Passenger | Best peer |
| --- | --: | --: | --: |
| **passtwist smart** | Wait | 3.00 (3.00–3.00) of passenger builtin | \
0.40 (0.40–0.40) of uwsgi |

- granian: not installed: pip install granian

## Command lines

SITE is the folder of the application, SCRATCH an empty one for the server.

### passtwist smart

```console
$ passtwist-smart --port=PORT
```

### passenger builtin

It has a remark.

```console
$ passenger-builtin --port=PORT
```

### uwsgi

```console
$ uwsgi --port=PORT
```
"""


def test_the_page_has_it_all():
    """Head, summary, tables, ratios, absences, command lines and remarks."""
    found = usual(notes={"passenger builtin": "It has a remark."})
    text = page(found, [SPEED], {"speed": ["speed.svg"]})
    assert re.sub("(?m)^↑: .*$", "HOW TO READ", text) == PAGE


def test_peers_that_a_measure_names_are_compared_with_one_by_one():
    """In a line below the table, in the order in which they are named."""

    class Named(Speed):
        """Nobody has measured waitress."""

        beside = ("uwsgi", "waitress", "passenger builtin")

    told = [
        line
        for line in page(usual(), [Named()], {}).splitlines()
        if line.startswith("**")
    ]
    ratios = "0.50 (0.50–0.50) of uwsgi, 2.00 (2.00–2.00) of passenger builtin"
    assert told == [f"**passtwist smart**, Requests/s, times as good: {ratios}."]


def test_a_run_that_was_too_noisy_says_so_at_its_top():
    """And marks the rows that were."""
    found = results(sample("uwsgi", 0, 100.0), sample("uwsgi", 1, 300.0))
    text = page(found, [SPEED], {})
    head, _, rest = text.partition("## Summary")
    assert "too busy" in head
    assert "within 100 %" in head
    assert "| uwsgi ~ |" in rest


def test_what_was_left_out_is_named():
    """A quick run takes less; nobody should look for it."""
    text = page(usual(quick=True), [SPEED, Broken()], {})
    assert "A quick run, one server of each kind, of 2026-01-02 03:04" in text
    assert "Not measured in this run: Bug." in text
    assert "Not measured" not in page(usual(), [SPEED], {})


def test_who_is_left_out_of_a_table_is_named_below_it():
    """But not who is there, nor who has another reason not to be."""
    text = page(usual(also=["granian", "waitress"]), [SPEED], {})
    lines = [line for line in text.splitlines() if "left out" in line]
    assert lines == ["- left out, for the run to be short: waitress"]


def test_the_summary_is_of_one_and_the_same_passtwist():
    """Not of the luckiest of its kinds; of another only where that one is not."""
    plain, threads = "passtwist smart", "passtwist smart, 4 threads"
    found = results(
        sample(plain, 0, 100.0),
        sample(threads, 0, 900.0),
        sample(threads, 0, 900.0, case="long"),
    )
    text, _, _ = page(found, [SPEED], {}).partition("## Speed")
    assert "| Speed: Short way | Requests/s ↑ | 100 /s (passtwist smart) |" in text
    assert f"| Speed: Long way | Requests/s ↑ | 900 /s ({threads}) |" in text


class Broken(Speed):
    """A measure with a bug."""

    name = "bug"
    title = "Bug"

    def take(self, bench):
        """Breaks."""
        raise KeyError("p99")


def test_each_kind_of_absence_is_told_with_its_reason():
    """On one line, whatever a log had."""
    kinds = [(f"server {kind}", kind) for kind in KINDS]
    found = results(
        absences=[("short", name, kind, "first\n  second") for name, kind in kinds]
    )
    text = page(found, [SPEED], {})
    told = [line for line in text.splitlines() if line.startswith("- server ")]
    assert told == [f"- {name}: {KINDS[kind]}: first second" for name, kind in kinds]


def test_what_was_written_can_be_read_again(tmp_path):
    """The same results, and from them the same bytes."""
    write(usual(), [SPEED], tmp_path / "one")
    again = read(tmp_path / "one" / "latest.json")
    assert again == usual()
    write(again, [SPEED], tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert (tmp_path / "one" / "latest.json").read_text().endswith("}\n")


@pytest.mark.parametrize("text", ["", "[]", '{"samples": 1}', "{}"])
def test_what_is_no_results_is_refused(tmp_path, text):
    """By one kind of error."""
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match=r".+"):
        read(tmp_path / "file")


def test_paths_of_this_machine_are_taken_out(tmp_path):
    """Wherever a text came from."""
    found = results(
        sample("uwsgi", 0, 1.0),
        absences=[("short", "granian", "failed", f"{ROOT}/benchmarks/x.py: no")],
        notes={"uwsgi": f"{sys.base_prefix}/lib is its home"},
    )
    found.commands["uwsgi"] = f"{sys.prefix}/bin/uwsgi --folder=/tmp/ptwb-a_b1/run"
    write(found, [SPEED], tmp_path)
    for path in tmp_path.iterdir():
        for place in (str(ROOT), sys.prefix, sys.base_prefix, "ptwb-"):
            assert place not in path.read_text()
    again = read(tmp_path / "latest.json")
    assert again.commands["uwsgi"] == "uwsgi --folder=SCRATCH/run"
    assert again.absences[0].reason == "benchmarks/x.py: no"
    assert shortened("nothing to hide") == "nothing to hide"


def drawable():
    """Figures of every measure there is, two servers, two rounds."""
    found = results(sample("passtwist smart", 0, 1.0), sample("uwsgi", 0, 1.0))
    found.samples = [
        Sample(measure.name, case, server, turn, dict.fromkeys(keys, 1.0 + turn))
        for measure in every_measure()
        for keys in [[column.key for column in measure.columns]]
        for case, _ in measure.cases
        for server in ("passtwist smart", "uwsgi")
        for turn in (0, 1)
    ]
    return found


@pytest.fixture(scope="module", autouse=True)
def everything(tmp_path_factory):
    """A folder with every picture there is.

    matplotlib keeps fonts open that it has used; no test leaves them behind.
    """
    folder = tmp_path_factory.mktemp("pictures")
    write(drawable(), every_measure(), folder)
    return folder


def test_there_is_a_picture_of_every_measure(everything):
    """The page shows all that were drawn, and each is well-formed and dated."""
    drawn = {path.stem for path in everything.glob("*.svg")}
    measured = {measure.name for measure in every_measure()}
    expected = {one.name for one in PICTURES if one.measure in measured}
    assert drawn == expected | ({CURVE} & measured)
    written = (everything / "latest.md").read_text()
    shown = re.findall(r"!\[.*?\]\((.*?)\.svg\)", written)
    assert sorted(shown) == sorted(drawn)
    for path in everything.glob("*.svg"):
        text = " ".join(ElementTree.parse(path).getroot().itertext())
        assert "full run of 2026-01-02" in text
        assert "is better" in text
        assert "passtwist smart" in text
    assert measured <= {one.measure for one in PICTURES} | {CURVE}


def test_every_picture_is_of_a_measure_and_of_columns_that_exist():
    """Names in strings are checked by nobody else."""
    columns = {
        measure.name: {column.key for column in measure.columns}
        for measure in every_measure()
    }
    unknown = [
        one.name
        for one in PICTURES
        if one.measure not in columns or not set(one.columns) <= columns[one.measure]
    ]
    assert unknown == []


def test_pictures_of_an_earlier_run_stay(everything, tmp_path):
    """The documentation shows them, and they are dated; the page shows its own."""
    shutil.copytree(everything, tmp_path, dirs_exist_ok=True)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
    write(usual(), [SPEED], tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert ".svg" not in (tmp_path / "latest.md").read_text()


def faster(share):
    """The usual results with a passtwist so much better."""
    found = usual()
    for one in found.samples:
        if one.server == "passtwist smart":
            one.values["rate"] *= share
    return found


TWO_RUNS = """\
|  | Server | Figure | Times Passenger, before | now | Change | Figure, before | now |
| --- | --: | --: | --: | --: | --: | --: | --: |
| Speed: Short way | passtwist smart | Requests/s ↑ | 2.00 (2.00–2.00) | \
3.00 (3.00–3.00) | +50 % * | 200 | 300 |
| Speed: Short way | passtwist smart | Wait, ms ↓ | 3.00 (3.00–3.00) | \
3.00 (3.00–3.00) | +0 % | 10 | 10 |"""


def test_two_runs_of_a_machine_are_compared_in_ratios_and_figures():
    """A change that is more than noise is marked."""
    text = comparison(usual(), faster(1.5), [SPEED])
    assert "\n".join(text.splitlines()[6:]) == TWO_RUNS


def test_one_round_does_not_tell_what_is_noise():
    """However large the change looks."""
    peer = sample("passenger builtin", 0, 1.0)
    old = results(sample("passtwist smart", 0, 1.0), peer)
    new = results(sample("passtwist smart", 0, 2.0), peer)
    assert "| +100 % |" in comparison(old, new, [SPEED])


def test_figures_of_two_machines_are_not_put_side_by_side():
    """Ratios are, and it says why."""
    other = faster(1.5)
    other.machine = {"processors": "64", "processor": "Abacus"}
    text = comparison(usual(), other, [SPEED])
    assert "The machines differ (processors): only ratios are compared." in text
    assert "| Figure, before |" not in text
    assert "| +50 % * |" in text


def test_runs_without_passenger_on_two_machines_have_nothing_in_common():
    """Nothing is printed that would mislead."""
    old = results(sample("passtwist smart", 0, 1.0))
    new = results(sample("passtwist smart", 0, 2.0))
    assert "| 1 | 2 |" in comparison(old, new, [SPEED])
    new.machine = {"processors": "64"}
    assert "They have nothing in common to compare." in comparison(old, new, [SPEED])


@pytest.mark.parametrize(
    ("server", "kind", "expected"),
    [
        ("passtwist smart", "failed", 1),
        ("", "failed", 1),
        ("uwsgi", "failed", 0),
        ("passtwist smart", "not yet", 0),
        ("passtwist smart", "none", 0),
    ],
)
def test_only_what_passtwist_fails_at_is_our_failure(server, kind, expected):
    """What peers fail at stands in the report."""
    found = usual()
    found.absences = [Absence("speed", "", server, kind, "why")]
    assert command.status(found) == expected


def test_nothing_measured_is_no_success():
    """As when no server of a measure was asked for."""
    assert command.status(results()) == 2


def test_a_peer_that_dies_ends_its_own_row_only(tmp_path):
    """Whatever the benchmark sees of it: a refused connection, a signal to nobody."""
    bench = Bench([], True, tmp_path)
    for error in (ConnectionRefusedError("gone"), subprocess.SubprocessError("wrk")):
        with bench.expected(SPEED, "short", Waitress()):
            raise error
    assert [(one.server, one.kind, one.reason) for one in bench.results.absences] == [
        ("waitress", "failed", "ConnectionRefusedError('gone')"),
        ("waitress", "failed", "SubprocessError('wrk')"),
    ]


def test_a_measure_that_breaks_does_not_take_the_others_with_it(tmp_path, capsys):
    """It is in the report, with a traceback for who has to mend it."""
    bench = Bench([], True, tmp_path)
    command.take(bench, Broken())
    why = "the measure itself broke: KeyError('p99')"
    assert bench.results.absences == [Absence("bug", "", "", "failed", why)]
    assert "Traceback" in capsys.readouterr().err
    assert command.status(bench.results) == 1


def test_names_are_listed(capsys):
    """Of all measures and servers, with what is missing."""
    assert command.main(["--list"]) == 0
    listed = capsys.readouterr().out
    for one in every_measure():
        assert re.search(
            rf"^  {re.escape(one.name)} +{re.escape(one.title)}$", listed, re.M
        )
    assert re.search(r"^  passtwist smart +installed$", listed, re.M)


def test_results_are_shown_again(tmp_path, capsys):
    """And written where it is asked for."""
    write(usual(), every_measure(), tmp_path / "old")
    file = str(tmp_path / "old" / "latest.json")
    assert command.main(["--render", file, "--into", str(tmp_path / "new")]) == 0
    assert "A full run of 2026-01-02 03:04" in capsys.readouterr().out
    assert read(tmp_path / "new" / "latest.json") == usual()
    assert command.main(["--compare", file, "--render", file]) == 0
    assert "They have nothing in common" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--render", "/nowhere/latest.json"], "/nowhere/latest.json: "),
        (["--server", "no such server"], "no server has no such server in its name"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(words, complaint, capsys):
    """With status 2."""
    with pytest.raises(SystemExit) as end:
        command.main(words)
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_without_wrk_the_remedy_is_told(monkeypatch, tmp_path, capsys):
    """Before anything is started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as end:
        command.main([])
    assert end.value.code == 2
    assert "apt-get install wrk" in capsys.readouterr().err


def test_a_quick_run_has_fewer_servers_and_measures():
    """Unless they are asked for by name."""
    quick = command.selected_servers(None, quick=True)
    names = [one.name for one in command.selected_servers(None, quick=False)]
    assert {one.name for one in quick} < set(names)
    assert [one.name for one in command.selected_servers(["twist web"], True)] == [
        "twist web"
    ]
    full = command.selected_measures(None, quick=False)
    assert full == [one for one in command.EVERY if one.in_full]
    left_out = [one for one in command.EVERY if not one.in_quick]
    asked = [one.name for one in left_out]
    assert command.selected_measures(asked, quick=True) == left_out or not asked
    assert not set(asked) & {one.name for one in command.selected_measures(None, True)}
