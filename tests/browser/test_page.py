"""The page in a real browser: what it shows, finds, filters, opens and links to, and that it asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from reports.page.build import build
from suite.model import Diagnostic
from suite.record import Record
from tests.browser import synthetic
from tests.browser.chromium import Chromium, PageLeft, find

CASES, TARGETS, TOOLCHAINS = 600, 6, 2
TOOL = "ptxas 13.1.31"  # the newest, which the H200's record has too
HOSTILE = "</script><img src=x onerror=\"console.error('run')\"> & \"quoted\" 'text'"
INSTALL = "the page was not looked at: no chromium here (Debian, Ubuntu: apt install chromium)"

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a page of three records, one of them with text that would like to be markup."""
    made = synthetic.records(CASES, TARGETS, TOOLCHAINS)
    cell = next(cell for cell in made[0].cells if cell.target == "sm_121a" and cell.word == "rejected")
    said = (Diagnostic("other", "error", HOSTILE, 42),)
    family = synthetic.case_id(CASES).partition(".")[0]
    hostile = replace(
        cell, case=synthetic.case_id(CASES), family=family, toolchain=TOOL, agreement="disagrees", diagnostics=said
    )
    third = Record(Path(f"{HOSTILE[:9]}.jsonl"), {**made[0].header, "started": "2026-03-01T00:00:00Z"}, (hostile,))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(build([*made, third], describe=synthetic.describe), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = find()
    if program is None:
        pytest.skip(INSTALL)
    with Chromium(program, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(browser: Chromium, address: str) -> Iterator[Chromium]:
    """Return the browser at its usual size; afterwards nothing was complained of, and nothing asked but the file."""
    browser.size(1280, 860)
    browser.media()
    yield browser
    assert browser.complaints == []
    assert {url.partition("#")[0] for url in browser.requests} <= {address, "about:blank"}


def text(page: Chromium, selector: str) -> str:
    return str(page.run(f"document.querySelector({selector!r})?.innerText ?? ''"))


def cases(page: Chromium) -> list[str]:
    """Return the ids of the cases in sight, without their family."""
    found: list[str] = page.run("[...document.querySelectorAll('.rows .id')].map(e => e.textContent)")
    return found


def settle(page: Chromium, status: str) -> None:
    page.wait(f"document.getElementById('status').textContent.startsWith({status!r})")


def press(page: Chromium, selector: str) -> None:
    page.run(f"document.querySelector({selector!r}).click()")


def test_the_summary_comes_first_and_leads_to_the_cases(page: Chromium, address: str) -> None:
    page.open(address)
    assert text(page, "#words h2") == f"sm_90a by {TOOL}"
    assert "What it has" in text(page, "#words")
    line = "[...document.querySelectorAll('#words li')].find(e => e.innerText.includes('ran here'))"
    correct = page.run(f"{line}.innerText")
    page.run(f"{line}.querySelector('a').click()")
    page.wait("!document.getElementById('matrix').hidden")
    settle(page, f"{correct.split()[0]} of 601 cases")
    assert page.run(
        "[...document.querySelectorAll('.rows .c[class*=w-]')].every(e => e.classList.contains('w-correct'))"
    )
    assert "validated+here" in page.run("location.hash")


def test_families_fold(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix")
    settle(page, "601 cases × 7 targets")
    assert cases(page) == []
    press(page, ".family .case")
    page.wait("document.querySelectorAll('.rows .id').length > 5")
    press(page, ".family .case")
    page.wait("document.querySelectorAll('.rows .id').length == 0")


def test_only_rows_in_sight_are_in_the_page_and_scrolling_brings_the_others(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix")
    press(page, "[data-fold]")
    page.wait("document.getElementById('grid').getAttribute('aria-rowcount') == 601 + 30 + 1")
    assert page.run("document.querySelectorAll('.rows > .row').length") < 80
    before = cases(page)
    page.run("document.getElementById('grid').scrollTop = 1e6")
    ids = "[...document.querySelectorAll('.rows .id')].map(e => e.textContent)"
    page.wait(f"{ids}.length && !{ids}.includes({before[0]!r})")
    assert f"index={29 + 30 * 19}" in " ".join(cases(page))


def test_a_cell_says_everything_in_words(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix&targets=sm_121a&families=family_03&realizations=emulated&words=assembled")
    settle(page, "")
    page.wait("document.querySelector('.rows .w-assembled')")
    cell = text(page, ".rows .w-assembled")
    assert cell.split()[:3] == ["◐", "assembled", "emulated"] or "waived" in cell or "disagrees" in cell
    label = page.run("document.querySelector('.rows .w-assembled').ariaLabel")
    assert all(part in label for part in ("sm_121a", "assembled", "emulated", "validated"))


@pytest.mark.parametrize(
    "query, some, none", [("QMMA", "index=1", "index=2"), ("m16n8k64 index=3", "index=3", "index=1")]
)
def test_search_finds_opcodes_and_names(page: Chromium, address: str, query: str, some: str, none: str) -> None:
    page.open(address)
    page.run(f"const q = document.getElementById('q'); q.value = {query!r}; q.dispatchEvent(new Event('input'))")
    page.wait("document.getElementById('status').textContent.includes(' of 601')")
    page.wait("document.querySelectorAll('.rows .id').length > 0")
    shown = page.run("[...document.querySelectorAll('.rows .id')].map(e => e.textContent.split(',').at(-1))")
    assert some in shown
    assert none not in shown
    assert page.run("document.querySelectorAll('mark').length") or query == "QMMA"  # a SASS opcode stands in no row


def test_search_for_what_is_nowhere_says_so(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix&q=nowhere_at_all")
    settle(page, "0 of 601 cases")


@pytest.mark.parametrize(
    "hash_, holds",
    [
        ("families=family_07,family_08", "n => n % 30 === 7 || n % 30 === 8"),
        ("words=wrong", "(n, row) => row.querySelector('.w-wrong')"),
        ("realizations=call", "(n, row) => row.innerText.includes('call')"),
        ("agreements=disagrees", "(n, row) => row.querySelector('.a-disagrees')"),
        ("proof=unvalidated&targets=sm_121a", "(n, row) => /unvalidated|old kernel/.test(row.innerText)"),
        ("differs=1&targets=sm_120a,sm_121a", "(n, row) => row.children[1].innerText !== row.children[2].innerText"),
    ],
)
def test_filters_leave_what_they_say(page: Chromium, address: str, hash_: str, holds: str) -> None:
    page.open(f"{address}#tab=matrix&size=words&{hash_}")
    page.wait("document.getElementById('status').textContent.includes(' of 601')")
    if not cases(page):
        press(page, "[data-fold=open]")
        page.wait("document.querySelectorAll('.rows .id').length > 0")
    assert page.run(
        f"[...document.querySelectorAll('.rows .row:not(.family)')].every(row => "
        f"({holds})(Number(row.querySelector('.id').textContent.split('index=')[1]), row))"
    )


def test_columns_are_targets_toolchains_or_machines(page: Chromium, address: str) -> None:
    heads = "[...document.querySelectorAll('.head .c')].map(e => e.title)"
    page.open(f"{address}#tab=matrix&target=sm_121a")
    assert page.run(heads) == ["sm_90a", "sm_120", "sm_120a", "sm_120f", "sm_121", "sm_121a", "sm_121f"]
    page.run("document.querySelector('[name=axis]').value = 'toolchain'")
    page.run("document.querySelector('[name=axis]').dispatchEvent(new Event('change', {bubbles: true}))")
    page.wait("document.getElementById('status').textContent.includes('toolchains')")
    assert page.run(heads) == ["ptxas 13.0.30", TOOL]
    page.open(f"{address}#tab=matrix&axis=toolchain&target=sm_121a&toolchains={TOOL.replace(' ', '+')}")
    assert page.run(heads) == [TOOL]
    assert page.run("document.querySelector('.head .c').innerText") == TOOL.removeprefix("ptxas ")  # so that it fits
    page.open(f"{address}#tab=matrix&axis=machine&target=sm_90a&toolchain={TOOL.replace(' ', '+')}")
    assert page.run(heads) == ["NVIDIA H200, driver 580.159.04"]


CELL = synthetic.case_id(31)


def test_a_cell_opens_its_evidence_and_the_address_is_a_link_to_it(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix&families=family_01&targets=sm_90a&q=index%3D31")
    page.wait("document.querySelector('.rows .id')")
    press(page, ".rows .row:not(.family) .c")
    page.wait("!document.getElementById('panel').hidden")
    found = text(page, "#panel")
    for part in (
        CELL,
        "PTX ISA 9.3, 9.7.15.5.14",
        "Assembler: ptxas 13.1.31",
        "driver",
        "580.159.04",
        "h200.jsonl",
        ".version 9.0",
    ):
        assert part in found, found
    assert f"python -m suite show '{CELL}@sm_90a' --toolchain '{TOOL}'" in found
    assert page.run("document.querySelectorAll('.numbered .m2').length") == 1
    link = page.run("location.href")
    page.open(link)
    page.wait("!document.getElementById('panel').hidden")
    assert text(page, "#panel") == found


def test_measured_parameters_are_shown_whatever_they_are(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix&targets=sm_90a&words=correct&families=family_01")
    page.wait("document.querySelector('.rows .w-correct')")
    press(page, ".rows .w-correct")
    page.wait("!document.getElementById('panel').hidden")
    found = text(page, "#panel")
    assert all(part in found for part in ("numeric", "rounding", "rn", "10, 23", "4,098", "1.00 ms"))


def test_a_linked_cell_of_a_folded_family_is_brought_into_sight(page: Chromium, address: str) -> None:
    cell = synthetic.case_id(599).replace("=", "%3D")
    page.open(f"{address}#tab=matrix&cell={cell}%40sm_121a")
    page.wait("document.querySelector('.here') && !document.getElementById('panel').hidden")
    box = page.run("(r => [r.top, r.bottom, innerHeight])(document.querySelector('.here').getBoundingClientRect())")
    assert 0 < box[0] < box[1] <= box[2]
    assert "index=599" in page.run("document.querySelector('.here').parentElement.innerText")


def test_what_assemblers_say_is_text_and_never_markup(page: Chromium, address: str) -> None:
    cell = synthetic.case_id(CASES).replace("=", "%3D")
    page.open(f"{address}#tab=matrix&cell={cell}%40sm_121a")
    page.wait("!document.getElementById('panel').hidden")
    assert HOSTILE in text(page, "#panel .said pre")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert "disagrees" in text(page, ".verdict")


def test_the_keyboard_reaches_everything(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix&targets=sm_120a,sm_121a")
    page.run("document.getElementById('grid').focus()")
    page.key("Enter")
    page.wait("document.querySelectorAll('.rows .id').length > 5")
    page.key("ArrowDown")
    page.key("ArrowRight")
    page.key("ArrowRight")
    assert page.run("document.querySelector('.here').ariaLabel").startswith("sm_121a: ")
    assert page.run("document.getElementById('grid').getAttribute('aria-activedescendant')") == "i1c1"
    page.key("Enter")
    page.wait("!document.getElementById('panel').hidden")
    first = text(page, "#panel h2")
    page.key("ArrowDown")
    page.wait(f"document.querySelector('#panel h2').innerText !== {first!r}")
    page.key("Escape")
    page.wait("document.getElementById('panel').hidden")
    page.key("/")
    assert page.run("document.activeElement.id") == "q"
    page.key("Escape")
    page.key("d")
    page.wait("!document.getElementById('panel').hidden")
    assert "disagrees" in text(page, ".verdict")
    page.key("?")
    assert page.run("document.getElementById('help').open")


def test_back_leads_back(page: Chromium, address: str) -> None:
    page.open(address)
    press(page, "#tab-matrix")
    page.wait("!document.getElementById('matrix').hidden")
    page.run("history.back()")
    page.wait("document.getElementById('matrix').hidden")


def test_a_phone_shows_it_without_scrolling_the_page_aside(page: Chromium, address: str) -> None:
    page.size(390, 800, phone=True)
    page.open(f"{address}#tab=matrix&families=family_01&targets=sm_121a")
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.run("document.querySelector('.rows .c').getBoundingClientRect().right") <= 390
    press(page, ".rows .row:not(.family) .c")
    page.wait("!document.getElementById('panel').hidden")
    assert page.run("document.getElementById('panel').getBoundingClientRect().width") == 390
    page.open(address)
    assert page.run("document.documentElement.scrollWidth") <= 390


def test_colours_follow_the_system_until_they_are_chosen(page: Chromium, address: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page.open(address)
    light = page.run(paper)
    page.media(dark=True)
    dark = page.run(paper)
    assert light != dark
    press(page, "#theme")
    assert page.run(paper) == light
    press(page, "#theme")
    page.media()
    assert page.run(paper) == dark
    assert "theme=dark" in page.run("location.hash")


def test_on_paper_the_rows_are_a_table(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=matrix&families=family_01")
    page.run("dispatchEvent(new Event('beforeprint'))")
    page.media(kind="print")
    assert page.run("document.querySelectorAll('#print tbody tr').length") == 20
    assert page.run("getComputedStyle(document.getElementById('grid')).display") == "none"
    assert page.pdf().startswith(b"%PDF")
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("document.getElementById('print').hidden")


def test_a_request_or_a_complaint_would_be_seen(browser: Chromium, address: str) -> None:
    """The control of what `page` asserts after every test; the page's own policy refuses the request."""
    browser.open(address)
    browser.run("fetch('https://ptxproof.invalid/').catch(() => 0)")
    browser.run("fetch('data:,x').catch(() => 0)")
    assert browser.complaints
    browser.complaints.clear()
    browser.run("console.error('seen')")
    assert browser.complaints == ["['seen']"]
    with suppress(PageLeft):
        browser.run("location.href = 'http://127.0.0.1:9/'")
    browser.wait("location.href.startsWith('chrome-error') || document.readyState === 'complete'")
    assert any("127.0.0.1" in url for url in browser.requests)
