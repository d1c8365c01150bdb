"""wmma.load, wmma.store, wmma.mma: products of opaque fragments. PTX ISA 9.3, 9.7.15.4.3 to 9.7.15.4.5."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from suite import Claim, Probe, since, wmma
from suite.numerics import cases as numeric
from suite.probe import Params

SECTIONS = {"a": "9.7.15.4.3", "b": "9.7.15.4.3", "c": "9.7.15.4.3", "d": "9.7.15.4.4", "mma": "9.7.15.4.5"}
CUBES = ("m16n16k16", "m8n32k16", "m32n8k16")
MAJORS = ("row", "col")
SPACES = ("generic", "global", "shared", "shared::cta")

# The least target and PTX version, by what the multiplicands are. Source: the notes of 9.7.15.4.3 to 9.7.15.4.5.
FIRST = {
    "f16": ("sm_70", "6.0"),  # m16n16k16; the other two shapes came with 6.1
    "int8": ("sm_72", "6.3"),
    "narrow": ("sm_75", "6.3"),  # s4, u4 and b1
    "late": ("sm_80", "7.0"),  # f64, bf16 and tf32
}
CLASSES = {"f16": "f16", "s8": "int8", "u8": "int8", "s4": "narrow", "u4": "narrow", "b1": "narrow"}


def claim(params: Params) -> Claim:
    """Return what the notes say of the case's type, shape, space and operation."""
    target, ptx = FIRST[CLASSES.get(wmma.plan(params)["a"], "late")]
    if ptx == "6.0" and params["shape"] != "m16n16k16":
        ptx = "6.1"
    if params.get("op") == "and":
        target, ptx = "sm_80", "7.1"
    if params.get("space") == "shared::cta":
        ptx = "7.8"
    return since(target, ptx=ptx, section=SECTIONS[params.get("matrix", "mma")])


# Shapes and layouts by type of A and B, of C and of D. Source: 9.7.15.4.3 and 9.7.15.4.4, Syntax.
MULTIPLICANDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("f16", "bf16", "s8", "u8"), CUBES),
    "tf32": ("m16n16k8",),
    "f64": ("m8n8k4",),
    **dict.fromkeys(("s4", "u4"), ("m8n8k32",)),
    "b1": ("m8n8k128",),
}
ACCUMULATORS = {
    "f16": CUBES,
    "f32": (*CUBES, "m16n16k8"),
    "s32": (*CUBES, "m8n8k32", "m8n8k128"),
    "f64": ("m8n8k4",),
}
NARROW_MAJORS = {"a": ("row",), "b": ("col",)}


def moves(matrix: str) -> Iterator[Params]:
    """Yield the rows of a load or store: every space with the default stride, and one with a stride of its own."""
    for fmt, shapes in (MULTIPLICANDS if matrix in "ab" else ACCUMULATORS).items():
        for shape in shapes:
            for layout in NARROW_MAJORS[matrix] if fmt in ("s4", "u4", "b1") else MAJORS:
                for space, stride in (*((space, "default") for space in SPACES), ("global", "padded")):
                    yield dict(matrix=matrix, layout=layout, shape=shape, space=space, type=fmt, stride=stride)


def products() -> Iterator[Params]:
    """Yield the rows of wmma.mma. Integer A and B are of one type. Source: 9.7.15.4.5."""
    both = [(alayout, blayout) for alayout in MAJORS for blayout in MAJORS]
    for alayout, blayout in both:
        base = dict(alayout=alayout, blayout=blayout)
        for shape in CUBES:
            for d in ("f16", "f32"):
                yield from (dict(**base, shape=shape, d=d, a="f16", c=c) for c in ("f16", "f32"))
            yield dict(**base, shape=shape, d="f32", a="bf16", c="f32")
            for a in ("s8", "u8"):
                yield from (dict(**base, shape=shape, d="s32", a=a, c="s32", satfinite=sat) for sat in ("no", "yes"))
        yield dict(**base, shape="m16n16k8", d="f32", a="tf32", c="f32")
        for rnd in ("default", "rn", "rz", "rm", "rp"):
            yield dict(**base, shape="m8n8k4", d="f64", a="f64", c="f64", rnd=rnd)
    base = dict(alayout="row", blayout="col")
    for a in ("s4", "u4"):
        yield from (dict(**base, shape="m8n8k32", d="s32", a=a, c="s32", satfinite=sat) for sat in ("no", "yes"))
    yield from (dict(**base, shape="m8n8k128", d="s32", a="b1", c="s32", op=op) for op in ("xor", "and"))


def spelled(params: Params) -> Params:
    """Return the texts of the supporting steps, and the parts of the instruction that derive from its parameters."""
    whole, matrix = wmma.plan(params), params.get("matrix", "mma")
    d, a, b, c, _ = wmma.operands(params)
    fragments = {operand.name: operand for operand in (d, a, b, c)}
    space = params.get("space", "global")
    multiplicands = "" if whole["a"] == "f16" else f".{whole['a']}.{whole['a']}"
    types = f"{whole['d']}{multiplicands}.{whole['c']}"
    sat = ".satfinite" if whole["satfinite"] == "yes" else ""
    rnd = "" if params.get("rnd", "default") == "default" else f".{params['rnd']}"
    op = f".{whole['op']}.popc" if whole["a"] == "b1" else ""
    product = f"wmma.mma{op}.sync.aligned.{whole['alayout']}.{whole['blayout']}.{whole['shape']}{rnd}.{types}{sat}"

    def load(name: str) -> str:
        fmt, layout = whole[name], whole[f"{name}layout"]
        opcode = f"wmma.load.{name}.sync.aligned.{layout}.{whole['shape']}.global.{fmt}"
        return f"{opcode} {fragments[name].vector}, [%rd_{name}];"

    return {
        "matrix": matrix,
        "space": space,
        "ss": "" if space == "generic" else f".{space}",
        "pointer": {"generic": "%generic", "global": f"%rd_{matrix}"}.get(space, "%base"),
        "trailer": ", %stride" if params.get("stride") == "padded" else "",
        "R": fragments[matrix].vector if matrix in fragments else "",
        "target": fragments.get(matrix),
        "staged": fragments[matrix] if space.startswith("shared") else None,
        "held": (d, a, b, c) if matrix == "mma" else (fragments[matrix],),
        "product": product,
        "load_a": load("a"),
        "load_b": load("b"),
        "load_c": load("c"),
        "multiply": f"{product} {d.vector}, {a.vector}, {b.vector}, {c.vector};",
        "store": f"wmma.store.d.sync.aligned.row.{whole['shape']}.global.{whole['d']} [%rd_d], {d.vector};",
    }


def unit(params: Params) -> tuple[str, ...]:
    """Return the opcode of the unit that multiplies the case's type: several of its own shape make one of wmma's."""
    a, d = params["a"].upper(), "F32" if "f32" in (params["c"], params["d"]) else "F16"
    if a in ("F16", "BF16", "TF32"):
        return (f"HMMA.{d}" if a == "F16" else f"HMMA.{d}.{a}",)
    if a == "B1":
        return (f"BMMA.{params['op'].upper()}.POPC",)
    return ("DMMA",) if a == "F64" else (f"IMMA.{a}.{a}",)


# No chip has an opcode for a whole load or store of wmma. Native is a matrix load or store, which ptxas takes for some
# loads from shared memory; the rest are plain loads and stores, with MOVM or PRMT to transpose.
step = partial(
    Probe,
    claim=claim,
    template="wmma.ptx.j2",
    operands=wmma.operands,
    inputs=wmma.inputs,
    oracle=wmma.multiply,
    launch=wmma.launch,
    fields=spelled,
)

PROBES = (
    step(
        form="load",
        opcode="wmma.load.{matrix}.sync.aligned.{layout}.{shape}{ss}.{type}",
        arguments="{R}, [{pointer}]{trailer}",
        rows=tuple(row for matrix in "abc" for row in moves(matrix)),
        native=lambda params: ("LDSM",),
    ),
    step(
        form="store",
        opcode="wmma.store.{matrix}.sync.aligned.{layout}.{shape}{ss}.{type}",
        arguments="[{pointer}], {R}{trailer}",
        rows=tuple(moves("d")),
        native=lambda params: ("STSM",),
    ),
    step(
        form="mma",
        opcode="{product}",
        arguments="{D}, {A}, {B}, {C}",
        rows=tuple(products()),
        native=unit,
        numeric=numeric.whole_warp,
    ),
)
