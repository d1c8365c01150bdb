"""Instructions across a warp: shuffles, votes, matches, reductions, the active mask.

Sources: PTX ISA 9.3, 9.7.9.6 and 9.7.14.10 to 9.7.14.13.
"""

from __future__ import annotations

from functools import partial

from suite import Claim, Launch, Probe, family, only, product, since, warps
from suite.probe import Params
from suite.warps import WARPS

SHFL, VOTE, MATCH, ACTIVE, REDUX = "9.7.9.6", "9.7.14.10", "9.7.14.11", "9.7.14.12", "9.7.14.13"
NO_YES = ("no", "yes")


def redux(params: Params) -> Claim:
    """Return the claim of redux.sync; f32 and its qualifiers are of one family."""
    if params["type"] != "f32":
        return since("sm_80", ptx="7.0", section=REDUX)
    return only("sm_100a", ptx="8.6", section=REDUX) | family("sm_100f", ptx="8.8", section=REDUX)


# Minima and maxima moved to a unit of their own on sm_100. Source: nvdisasm 13.5.37 of the armed kernels for sm_75, 80,
# 90a, 100a and 120a.
REDUX_SASS = {"and": "REDUX", "or": "REDUX.OR", "xor": "REDUX.XOR", "add": "REDUX.SUM"}


def redux_sass(params: Params) -> tuple[str, ...]:
    """Return the reduction's opcodes."""
    if params["op"] in REDUX_SASS:
        return (REDUX_SASS[params["op"]],)
    name = params["op"].upper() + ("ABS" if params.get("abs") == "yes" else "")
    nan = ".NAN" if params.get("NaN") == "yes" else ""
    kind = {"u32": "", "s32": ".S32", "f32": ".F32"}[params["type"]]
    return (f"REDUX.{name}{kind}{nan}", f"CREDUX.{name}{kind}{nan}")


across = partial(
    Probe,
    template="warp.ptx.j2",
    operands=warps.operands,
    inputs=warps.inputs,
    oracle=warps.oracle,
    launch=lambda params: Launch(grid=(WARPS, 1, 1)),
    fields=warps.fields,
)

PROBES = (
    across(
        form="shfl",
        opcode="shfl.sync.{mode}.b32",
        arguments="{d_}, a, b, c, mask",
        rows=product(op=("shfl",), mode=("up", "down", "bfly", "idx"), predicate=NO_YES),
        claim=lambda params: since("sm_30", ptx="6.0", section=SHFL),
        native=lambda params: (f"SHFL.{params['mode'].upper()}",),
    ),
    across(
        form="vote",
        opcode="vote.sync.{mode}.pred",
        arguments="%p_p, {negated}%p_a, mask",
        rows=product(op=("vote",), mode=("all", "any", "uni"), negate=NO_YES),
        claim=lambda params: since("sm_30", ptx="6.0", section=VOTE),
        native=lambda params: (f"VOTE.{params['mode'].upper().replace('UNI', 'EQ')}",),
    ),
    across(
        form="ballot",
        opcode="vote.sync.ballot.b32",
        arguments="d, {negated}%p_a, mask",
        rows=product(op=("vote",), mode=("ballot",), negate=NO_YES),
        claim=lambda params: since("sm_30", ptx="6.0", section=VOTE),
        native=lambda params: ("VOTE.ANY",),
    ),
    across(
        form="match_any",
        opcode="match.any.sync.{type}",
        arguments="d, a, mask",
        rows=product(op=("match",), mode=("any",), type=("b32", "b64")),
        claim=lambda params: since("sm_70", ptx="6.0", section=MATCH),
        native=lambda params: ("MATCH.ANY.U64",) if params["type"] == "b64" else ("MATCH.ANY",),
    ),
    across(
        form="match_all",
        opcode="match.all.sync.{type}",
        arguments="{d_}, a, mask",
        rows=product(op=("match",), mode=("all",), type=("b32", "b64"), predicate=("no", "yes", "only")),
        claim=lambda params: since("sm_70", ptx="6.0", section=MATCH),
        native=lambda params: ("MATCH.ALL.U64",) if params["type"] == "b64" else ("MATCH.ALL",),
    ),
    across(
        form="activemask",
        opcode="activemask.b32",
        arguments="d",
        rows=product(op=("activemask",), lanes=("all", "some")),
        claim=lambda params: since("sm_30", ptx="6.2", section=ACTIVE),
        native=lambda params: ("VOTE.ANY", "VOTEU.ANY"),
    ),
    across(
        form="redux",
        opcode="redux.sync.{op}.{type}",
        arguments="d, a, mask",
        rows=product(op=("add", "min", "max"), type=("u32", "s32")) + product(op=("and", "or", "xor"), type=("b32",)),
        claim=redux,
        native=redux_sass,
    ),
    across(
        form="redux_f32",
        opcode="redux.sync.{op}{abs_}{NaN_}.{type}",
        arguments="d, a, mask",
        rows=product(op=("min", "max"), type=("f32",), abs=NO_YES, NaN=NO_YES),
        claim=redux,
        native=redux_sass,
    ),
)
