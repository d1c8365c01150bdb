"""Addresses and places in a cluster: mapa, getctarank, isspacep, cvta and the special registers of clusters.

Sources: PTX ISA 9.3, 9.7.9.20 (isspacep), 9.7.9.21 (cvta), 9.7.9.24 (mapa), 9.7.9.25 (getctarank), 10.11 to 10.17
(special registers). None of cvta, mapa and getctarank has an opcode of its own.
"""

from __future__ import annotations

import numpy as np

from suite import Buffer, Claim, Launch, Operand, Probe, product, rows, since
from suite.claims import ptx_version
from suite.probe import Arrays, Params

ISSPACEP, CVTA, MAPA, RANK = "9.7.9.20", "9.7.9.21", "9.7.9.24", "9.7.9.25"
CTAS = 4
NO_OPCODE = ("-",)  # no target has an opcode for it

# --- mapa and getctarank ----------------------------------------------------------------------------------------------

# Forms: what follows the opcode, where the result goes, the source of mapa and of getctarank. Generic 32-bit addresses
# are the lower halves of generic addresses here.
FORMS = {
    # case              suffix                  result     mapa       getctarank
    "shared.u32":      (".shared::cluster.u32", "%remote", "%own",     "%own"),
    "shared.u64":      (".shared::cluster.u64", "%far",    "%wide",    "%wide"),
    "variable.u32":    (".shared::cluster.u32", "%remote", "box",      "box"),
    "variable.u64":    (".shared::cluster.u64", "%far",    "box",      "box"),
    "offset.u32":      (".shared::cluster.u32", "%remote", "box+128",  "box+128"),
    "offset.u64":      (".shared::cluster.u64", "%far",    "box+128",  "box+128"),
    "generic.u64":     (".u64",                 "%beyond", "%generic", "%generic"),
    "generic.u32":     (".u32",                 "%low",    "%low",     "%low"),
}  # fmt: skip


def _symbolic(params: Params) -> bool:
    return not params["source"].startswith(("shared", "generic"))


def _map_operands(params: Params) -> tuple[Operand, ...]:
    return tuple(
        Buffer(name, role, "u32", (CTAS, 32)) for name, role in (("out", "out"), ("values", "in"), ("ranks", "in"))
    )


def _map_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    ranks = np.stack([rng.permutation(np.arange(32) % CTAS) for _ in range(CTAS)])
    return {
        "values": rng.permutation(2**20)[: 32 * CTAS].reshape(CTAS, 32).astype(np.uint32),
        "ranks": ranks.astype(np.uint32),
    }


def _mapa_oracle(params: Params, arrays: Arrays) -> Arrays:
    """Return what each lane finds in the CTA of its rank: that CTA's word, or its rank for the same lane."""
    box = arrays["ranks" if params["source"].startswith("offset") else "values"]
    return {"out": box[arrays["ranks"], np.arange(32)]}


def _rank_oracle(params: Params, arrays: Arrays) -> Arrays:
    own = np.repeat(np.arange(CTAS, dtype=np.uint32), 32).reshape(CTAS, 32)
    return {"out": own if _symbolic(params) else arrays["ranks"]}


def _map_fields(kind: str, params: Params) -> Params:
    suffix, result, mapped, asked = FORMS[params["source"]]
    return {
        "kind": kind,
        "suffix": suffix,
        "reach": result,
        "from_address": mapped if kind == "mapa" else asked,
        "variable": _symbolic(params),
        "generic": params["source"].startswith("generic"),
    }


def _mapping(form: str, arguments: str, section: str) -> Probe:
    return Probe(
        form=form,
        opcode=f"{form}{{suffix}}",
        arguments=arguments,
        rows=product(source=tuple(FORMS)),
        claim=lambda params: since("sm_90", ptx="7.8", section=section),
        template="cluster_map.ptx.j2",
        native=lambda params: NO_OPCODE,
        operands=_map_operands,
        inputs=_map_inputs,
        oracle=_mapa_oracle if form == "mapa" else _rank_oracle,
        launch=lambda params: Launch(grid=(CTAS, 1, 1), cluster=(CTAS, 1, 1)),
        fields=lambda params: _map_fields(form, params),
    )


# --- isspacep and cvta ------------------------------------------------------------------------------------------------

# Generic addresses in the kernel's table, and the spaces that each lies in. Parameters lie in the global window.
# Source: PTX ISA 9.3, 9.7.9.20, and 6.4.1.1 (windows of generic addresses).
ADDRESSES = ("const", "global", "local", "shared", "param", "peer")
WITHIN = {
    # space            addresses                target    PTX
    "const":          (("const",),             "sm_20", "3.1", ()),
    "global":         (("global", "param"),    "sm_20", "2.0", ("QSPC.E.G",)),
    "local":          (("local",),             "sm_20", "2.0", ("QSPC.E.L",)),
    "shared":         (("shared",),            "sm_20", "2.0", ("QSPC.E.S",)),
    "shared::cta":    (("shared",),            "sm_30", "7.8", ("QSPC.E.S",)),
    "shared::cluster": (("shared", "peer"),    "sm_90", "7.8", ("QSPC.E.D",)),
    "param":          (("param",),             "sm_70", "7.7", ()),
    "param::entry":   (("param",),             "sm_70", "8.3", ()),
}  # fmt: skip


def _in_cluster(params: Params) -> int:
    return 2 if params["space"] == "shared::cluster" else 1


def _space_inputs(params: Params, rng: np.random.Generator) -> Arrays:
    known = len(ADDRESSES) if _in_cluster(params) > 1 else len(ADDRESSES) - 1
    return {"which": rng.permutation(np.arange(32) % known).astype(np.uint32)}


def _space_oracle(params: Params, arrays: Arrays) -> Arrays:
    inside = np.array([name in WITHIN[params["space"]][0] for name in ADDRESSES])
    return {"out": np.tile(inside[arrays["which"]].astype(np.uint32), (_in_cluster(params), 1))}


def _space_launch(params: Params) -> Launch:
    ctas = (_in_cluster(params), 1, 1)
    return Launch(grid=ctas, cluster=ctas)


SPACE = Probe(
    form="isspacep",
    opcode="isspacep.{space}",
    arguments="%inside, %address",
    rows=product(space=tuple(WITHIN)),
    claim=lambda params: since(WITHIN[params["space"]][1], ptx=WITHIN[params["space"]][2], section=ISSPACEP),
    template="cluster_space.ptx.j2",
    native=lambda params: WITHIN[params["space"]][3] or NO_OPCODE,
    operands=lambda params: (
        Buffer("out", "out", "u32", (_in_cluster(params), 32)),
        Buffer("which", "in", "u32", (32,)),
    ),
    inputs=_space_inputs,
    oracle=_space_oracle,
    launch=_space_launch,
    fields=lambda params: {"cluster": _in_cluster(params) > 1},
)

CONSTANTS = tuple(0x600D0000 + 7 * lane for lane in range(32))


def _cvta_claim(params: Params) -> Claim:
    """Claim what isspacep needs in the same space; `cvta` and `isspacep` grew together."""
    _, target, ptx, _ = WITHIN[params["space"]]
    return since(target, ptx=max(ptx, "2.0", key=ptx_version), section=CVTA)


CONVERSION = Probe(
    form="cvta",
    opcode="cvta{dotted}.{space}.u64",
    arguments="%to, %from",
    rows=product(direction=("from", "to"), space=tuple(WITHIN)),
    claim=_cvta_claim,
    template="cluster_cvta.ptx.j2",
    native=lambda params: NO_OPCODE,
    operands=lambda params: (Buffer("out", "out", "u32", (32,)), Buffer("values", "in", "u32", (32,))),
    inputs=lambda params, rng: {"values": rng.permutation(2**20)[:32].astype(np.uint32)},
    oracle=lambda params, arrays: {
        "out": np.array(CONSTANTS, dtype=np.uint32) if params["space"] == "const" else arrays["values"]
    },
    launch=lambda params: Launch(),
    fields=lambda params: {
        "dotted": ".to" if params["direction"] == "to" else "",
        "constants": ", ".join(map(str, CONSTANTS)),
    },
)

# --- special registers ------------------------------------------------------------------------------------------------

GRID, CLUSTER = (4, 2, 4), (2, 1, 2)  # no two dimensions of a cluster in the grid are told alike by all registers
AXES = "xyz"

# Source: PTX ISA 9.3, the section of each.
REGISTERS = {
    # register               section  PTX
    "is_explicit_cluster": ("10.11", "7.8"),
    "clusterid":           ("10.12", "7.8"),
    "nclusterid":          ("10.13", "7.8"),
    "cluster_ctaid":       ("10.14", "7.8"),
    "cluster_nctaid":      ("10.15", "7.8"),
    "cluster_ctarank":     ("10.16", "7.8"),
    "cluster_nctarank":    ("10.17", "7.8"),
}  # fmt: skip
VECTORS = ("clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid")


def _register(params: Params) -> tuple[str, str]:
    name, _, axis = params["register"].partition(".")
    return name, axis


def _shape(params: Params) -> str:
    name, axis = _register(params)
    if name == "is_explicit_cluster":
        return "predicate"
    return "vector" if name in VECTORS and not axis else "word"


def _places() -> dict[str, np.ndarray]:
    """Return the value of each register in every CTA, in order of x, y and z: vectors as (CTAs, 3)."""
    z, y, x = np.indices(GRID[::-1])
    ctaid = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    size, within = np.array(CLUSTER), ctaid % np.array(CLUSTER)
    whole = np.ones_like(ctaid)
    return {
        "is_explicit_cluster": whole[:, 0],
        "clusterid": ctaid // size,
        "nclusterid": whole * (np.array(GRID) // size),
        "cluster_ctaid": within,
        "cluster_nctaid": whole * size,
        "cluster_ctarank": within @ np.array([1, CLUSTER[0], CLUSTER[0] * CLUSTER[1]]),
        "cluster_nctarank": whole[:, 0] * int(np.prod(size)),
    }


def _register_oracle(params: Params, arrays: Arrays) -> Arrays:
    name, axis = _register(params)
    out = np.zeros((int(np.prod(GRID)), 4), dtype=np.uint32)
    values = _places()[name]
    if _shape(params) == "vector":
        out[:, :3] = values
    else:
        out[:, 0] = values[:, AXES.index(axis)] if axis else values
    return {"out": out}


REGISTER = Probe(
    form="register",
    opcode="mov.{type}",
    arguments="{target}, %{register}",
    rows=rows(
        "register",
        ("is_explicit_cluster",),
        *((f"{name}.{axis}",) for name in VECTORS for axis in AXES),
        *((name,) for name in VECTORS),
        ("cluster_ctarank",),
        ("cluster_nctarank",),
    ),
    claim=lambda params: since(
        "sm_90", ptx=REGISTERS[_register(params)[0]][1], section=REGISTERS[_register(params)[0]][0]
    ),
    template="cluster_register.ptx.j2",
    native=lambda params: ("S2R", "S2UR"),
    operands=lambda params: (
        Buffer("out", "out", "u32", (int(np.prod(GRID)), 4)),
        Buffer("zero", "in", "u32", (1,)),
    ),
    inputs=lambda params, rng: {"zero": np.zeros(1, dtype=np.uint32)},
    oracle=_register_oracle,
    launch=lambda params: Launch(grid=GRID, cluster=CLUSTER),
    fields=lambda params: {
        "shape": _shape(params),
        "type": {"predicate": "pred", "vector": "v4.u32", "word": "u32"}[_shape(params)],
        "target": {"predicate": "%p", "vector": "%vector", "word": "%value"}[_shape(params)],
    },
)

PROBES = (
    _mapping("mapa", "{reach}, {from_address}, %rank", MAPA),
    _mapping("getctarank", "%value, {from_address}", RANK),
    SPACE,
    CONVERSION,
    REGISTER,
)
