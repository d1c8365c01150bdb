"""The cluster family: its claims, its kernels, and its oracles against loops over CTAs and lanes."""

from __future__ import annotations

import itertools

import pytest

from probes.cluster import CLUSTER, GRID
from suite import verify
from suite.probe import Case
from tests import copy_kernels as kernels

CASES = kernels.family("cluster")


def form(name: str) -> list[Case]:
    return [case for case in CASES if case.probe.form == name]


def named(fragment: str) -> Case:
    return next(case for case in CASES if fragment in case.id)


@pytest.mark.parametrize("case", form("mapa"), ids=lambda case: case.id)
def test_mapa_reaches_the_same_word_of_the_other_cta(case: Case) -> None:
    arrays, out = verify.inputs(case), kernels.expected(case)["out"]
    held = arrays["ranks" if "offset" in case.id else "values"]
    for cta, lane in itertools.product(range(4), range(32)):
        assert out[cta, lane] == held[arrays["ranks"][cta][lane]][lane]
    if "offset" not in case.id:
        assert (out != held).any(axis=1).all()  # an address that is not mapped shows in every CTA


@pytest.mark.parametrize("case", form("getctarank"), ids=lambda case: case.id)
def test_ranks_are_those_of_the_mapped_address_or_ones_own(case: Case) -> None:
    arrays, out = verify.inputs(case), kernels.expected(case)["out"]
    own = [[cta] * 32 for cta in range(4)]
    assert out.tolist() == (own if case.params["source"].startswith(("var", "off")) else arrays["ranks"].tolist())


def test_windows() -> None:
    """Every space holds its own address; only parameters lie in a second window, and only peers in none but one."""
    inside = {}
    for case in form("isspacep"):
        which, out = verify.inputs(case)["which"].tolist(), kernels.expected(case)["out"][0].tolist()
        inside[case.params["space"]] = {place for place, answer in zip(which, out, strict=True) if answer}
        assert {place for place, answer in zip(which, out, strict=True) if not answer}
    assert inside == {
        "const": {0},
        "global": {1, 4},
        "local": {2},
        "shared": {3},
        "shared::cta": {3},
        "shared::cluster": {3, 5},
        "param": {4},
        "param::entry": {4},
    }


@pytest.mark.parametrize("case", form("register"), ids=lambda case: case.id)
def test_registers_agree_with_a_walk_over_the_grid(case: Case) -> None:
    name, _, axis = case.params["register"].partition(".")
    rows = []
    for z, y, x in itertools.product(*(range(n) for n in reversed(GRID))):
        at = (x, y, z)
        within = [a % n for a, n in zip(at, CLUSTER, strict=True)]
        value = {
            "is_explicit_cluster": 1,
            "clusterid": [a // n for a, n in zip(at, CLUSTER, strict=True)],
            "nclusterid": [a // n for a, n in zip(GRID, CLUSTER, strict=True)],
            "cluster_ctaid": within,
            "cluster_nctaid": list(CLUSTER),
            "cluster_ctarank": within[0] + CLUSTER[0] * (within[1] + CLUSTER[1] * within[2]),
            "cluster_nctarank": CLUSTER[0] * CLUSTER[1] * CLUSTER[2],
        }[name]
        if isinstance(value, list):
            rows.append([value["xyz".index(axis)], 0, 0, 0] if axis else [*value, 0])
        else:
            rows.append([value, 0, 0, 0])
    assert kernels.expected(case)["out"].tolist() == rows


@pytest.mark.parametrize(
    "fragment, target, ptx",
    [
        ("mapa:source=shared.u32", 90, (7, 8)),
        ("isspacep:space=global", 75, (2, 0)),
        ("isspacep:space=const", 75, (3, 1)),
        ("isspacep:space=shared::cta", 75, (7, 8)),
        ("isspacep:space=shared::cluster", 90, (7, 8)),
        ("isspacep:space=param", 75, (7, 7)),
        ("cvta:direction=to,space=param::entry", 75, (8, 3)),
        ("register:register=clusterid.x", 90, (7, 8)),
    ],
)
def test_claims_follow_the_manual(fragment: str, target: int, ptx: tuple[int, int]) -> None:
    claim = named(fragment).claim
    assert (min(claim.targets).number, claim.ptx) == (target, ptx)


def test_every_kernel_assembles_where_claimed_and_controls_everywhere() -> None:
    for target in ("sm_75", "sm_90"):
        kernels.assert_claimed_assemble(CASES, target)
    kernels.assert_controls_assemble(CASES, "sm_75")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_scaffold_is_the_armed_kernel_without_the_instruction(case: Case) -> None:
    source = kernels.sources([case])[0]
    assert len(source.armed.marked) == 1
    assert kernels.without_mark(source) == source.scaffold.text
    kernels.assert_round_trips(case)
