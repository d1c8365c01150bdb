"""tcgen05.cp, tcgen05.shift, and tcgen05.commit to other CTAs of a cluster. PTX ISA 9.3, 9.7.17; 9.4, 9.7.18.12.1.

Whole kernels of 128 threads a CTA: fill tensor memory and shared memory, issue, commit, wait a bounded time, read back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from suite import Claim, Launch, Probe, family, only, product
from suite import tcgen05_copy as copy
from suite.probe import Params
from suite.tcgen05 import SWIZZLES

CP, SHIFT, COMMIT = "9.7.17.9.2", "9.7.17.9.3", "9.7.17.12.1"
NEWER = "PTX ISA 9.4, 9.7.18.12.1"
THREADS = (128, 1, 1)
GROUPS = (1, 2)

# Tokens of UTCCP for each shape and source format; 128x256b and plain copies have none.
# Source: ptxas 13.5.37 for sm_100a and sm_103a, read with nvdisasm.
SHAPE_TOKENS = {
    ("128x256b", "none"): "",
    ("4x256b", "none"): ".4dp256bit",
    ("128x128b", "none"): ".128dp128bit",
    ("64x128b", "warpx2::02_13"): ".2x64dp128bit_lw02_lw13",
    ("64x128b", "warpx2::01_23"): ".2x64dp128bit_lw01_lw23",
    ("32x128b", "warpx4"): ".4x32dp128bit",
}
SOURCE_TOKENS = {"none": "", "b6x16_p32": ".U6x16P32", "b4x16_p64": ".U4x16P64"}
PAIR_TOKENS = {1: "", 2: ".2CTA"}


@cache
def family_wide(section: str) -> Claim:
    """Claim what the notes of cp and commit say; sm_101 is sm_110 from PTX 9.0."""
    return (
        only("sm_100a", ptx="8.6", section=section)
        | family("sm_100f", ptx="8.8", section=section)
        | family("sm_110f", ptx="9.0", section=section)
    )


def commit_claim() -> Claim:
    """Claim what the notes of commit say."""
    return family_wide(COMMIT)


@cache
def sixteen_bits() -> Claim:
    """Claim the name that PTX ISA 9.4 gives to a mask of 16 bits, which is not for one family alone."""
    return family("sm_100f", "sm_110f", ptx="9.4", section=NEWER)


@cache
def rubin() -> Claim:
    """Claim what PTX ISA 9.4 adds to commit for sm_107f: masks of 32 bits, and arrivals when A has been read."""
    return family("sm_107f", ptx="9.4", section=NEWER)


@cache
def shift_claim() -> Claim:
    """Claim what the notes of shift say: three chips; sm_103a exists from PTX 8.8 on, sm_110a from 9.0."""
    return (
        only("sm_100a", ptx="8.6", section=SHIFT)
        | only("sm_103a", ptx="8.8", section=SHIFT)
        | only("sm_110a", ptx="9.0", section=SHIFT)
    )


def _launch(trials: int, params: Params) -> Launch:
    """Return one CTA or one pair a trial."""
    group = params["cta_group"]
    return Launch((trials * group, 1, 1), THREADS, (group, 1, 1))


# --- cp -------------------------------------------------------------------------------------------------------------


def _cp_rows() -> tuple[Params, ...]:
    """Return every shape, source format and CTA group without swizzle, and each swizzle once."""
    plain = (
        {"cta_group": group, "shape": shape, "multicast": multicast, "source": source, "swizzle": "none"}
        for group in GROUPS
        for shape, multicast in copy.BLOCKS
        for source in copy.SOURCES
    )
    swizzled = (
        {"cta_group": 1, "shape": "128x256b", "multicast": "none", "source": "none", "swizzle": swizzle}
        for swizzle, (width, _) in SWIZZLES.items()
        if width
    )
    return (*plain, *swizzled)


def _cp_fields(params: Params) -> Params:
    """Return the template's values and the parts of the opcode."""
    tile = copy.tile(params)
    return {
        "asked": "cp",
        "multicast_part": "" if params["multicast"] == "none" else f".{params['multicast']}",
        "source_part": "" if params["source"] == "none" else f".b8x16.{params['source']}",
        "image_bytes": tile.nbytes,
        "descriptor": f"0x{tile.descriptor:016X}",
        "slice": copy.slice_bytes(params),
        "summed": copy.summed(params),
        "mask": f"0x{copy.SOURCES[params['source']][1]:08X}",
    }


def _cp_native(params: Params) -> tuple[str, ...]:
    tokens = SHAPE_TOKENS[params["shape"], params["multicast"]] + SOURCE_TOKENS[params["source"]]
    return ("UTCCP" + PAIR_TOKENS[params["cta_group"]] + tokens,)


COPY = Probe(
    form="cp",
    opcode="tcgen05.cp.cta_group::{cta_group}.{shape}{multicast_part}{source_part}",
    arguments="[%taddr], %sdesc",
    rows=_cp_rows(),
    claim=lambda params: family_wide(CP),
    template="tcgen05_copy.ptx.j2",
    native=_cp_native,
    operands=copy.cp_operands,
    inputs=copy.cp_inputs,
    oracle=copy.cp_oracle,
    launch=partial(_launch, copy.TRIALS),
    fields=_cp_fields,
)

# --- shift ----------------------------------------------------------------------------------------------------------

SHIFT_DOWN = Probe(
    form="shift",
    opcode="tcgen05.shift.down.cta_group::{cta_group}",
    arguments="[%taddr]",
    rows=product(cta_group=GROUPS),
    claim=lambda params: shift_claim(),
    template="tcgen05_copy.ptx.j2",
    native=lambda params: ("UTCSHIFT.DOWN" + PAIR_TOKENS[params["cta_group"]],),
    operands=copy.shift_operands,
    inputs=copy.shift_inputs,
    oracle=copy.shift_oracle,
    launch=partial(_launch, copy.SHIFTS),
    fields=lambda params: {"asked": "shift", "summed": False, "mask": "0xffffffff"},
)

# --- commit ---------------------------------------------------------------------------------------------------------

# The barrier's address as the kernel has it: its own CTA's, and that of the CTA in the mask.
ADDRESSES = {
    #                  own          another CTA's
    "generic":         ("[%here]",   "[%remote]"),
    "shared::cluster": ("[barrier]", "[%there]"),
}  # fmt: skip


def _commit_fields(remote: bool, params: Params) -> Params:
    """Return the template's values and the parts of the instruction."""
    return {
        "asked": "commit",
        "remote": remote,
        "space_part": "" if params["space"] == "generic" else f".{params['space']}",
        "address": ADDRESSES[params["space"]][remote],
        "image_bytes": copy.COMMIT_TILE.nbytes,
        "descriptor": f"0x{copy.COMMIT_TILE.descriptor:016X}",
    }


def _commit(
    form: str,
    multicast: str,
    arguments: str,
    plan: tuple[tuple[int, int], ...],
    token: str,
    *,
    early: str = "",
    claimed: Callable[[], Claim] = commit_claim,
    unlaunched: str = "",
) -> Probe:
    """Return a probe of a commit to other CTAs of a cluster of four; `early` stands before the state space."""
    return Probe(
        form=form,
        opcode=f"tcgen05.commit.cta_group::{{cta_group}}.mbarrier::arrive::one{early}{{space_part}}{multicast}.b64",
        arguments=arguments,
        rows=product(cta_group=GROUPS, space=tuple(ADDRESSES)),
        claim=lambda params: claimed(),
        template="tcgen05_commit.ptx.j2",
        native=lambda params: ("UTCBAR" + PAIR_TOKENS[params["cta_group"]] + token,),
        operands=copy.commit_operands,
        inputs=partial(copy.commit_inputs, plan),
        oracle=copy.commit_oracle,
        launch=lambda params: Launch((copy.CLUSTER * len(plan), 1, 1), THREADS, (copy.CLUSTER, 1, 1)),
        fields=partial(_commit_fields, not multicast),
        unlaunched=unlaunched,
    )


def _early(form: str, multicast: str, arguments: str, plan: tuple[tuple[int, int], ...]) -> Probe:
    """Return a probe of a commit that arrives once every mma before it has read A from shared memory."""
    return _commit(
        form,
        multicast,
        arguments,
        plan,
        f"{'.MULTICAST' if multicast else ''}.MMA_READ_SHM_A",
        early=".sync_restrict::shared::read::mma::a",
        claimed=rubin,
        unlaunched="no kernel here writes over A while its product is under way, which is what this commit allows",
    )


CAST = (copy.MULTICASTS, ".MULTICAST")
COMMITS = (
    _commit("commit_multicast", ".multicast::cluster", "{address}, %ctas", *CAST),
    _commit("commit_remote", "", "{address}", copy.REMOTES, ""),
    _commit("commit_multicast_16b", ".multicast::cluster::16b", "{address}, %ctas", *CAST, claimed=sixteen_bits),
    _commit("commit_multicast_32b", ".multicast::cluster::32b", "{address}, %mask", *CAST, claimed=rubin),
    _early("commit_early", "", "{address}", copy.REMOTES),
    _early("commit_early_multicast", ".multicast::cluster", "{address}, %ctas", copy.MULTICASTS),
    _early("commit_early_16b", ".multicast::cluster::16b", "{address}, %ctas", copy.MULTICASTS),
    _early("commit_early_32b", ".multicast::cluster::32b", "{address}, %mask", copy.MULTICASTS),
)

PROBES = (COPY, SHIFT_DOWN, *COMMITS)
