"""The quick set: a few cases of each kind of instruction, half of which any chip must refuse.

Each row is asked of every target. Where the manual claims it, it is a positive control and must be `correct` bit for
bit; where it does not, it is a negative control and must be refused: what accepts it, lies.
"""

from __future__ import annotations

from functools import cache

from suite import catalogue
from suite.probe import Case

QUICK = (
    # case                                                                    why it is here
    ("integer.plain:op=add,type=u16",                                         "the plainest of all"),
    ("half.fma:op=fma,type=f16,ftz=no,sat=no",                                "half precision, with one rounding"),
    ("f32.fma:op=fma,type=f32,rnd=rn,ftz=no,sat=no",                          "single precision"),
    ("f32.pair:op=add,type=f32x2,rnd=default,ftz=no",                         "Blackwell's packed f32; refused before"),
    ("warp.shfl:op=shfl,mode=up,predicate=no",                                "lanes"),
    ("atom.scalar:space=global,op=add,type=u32",                              "atomics in global memory"),
    ("cvt.f8:to=e4m3x2,of=f32,rnd=rn,satfinite=yes,relu=no",                  "FP8 conversion"),
    ("cvt.f6_f4:to=e2m1x2,of=f32,rnd=rn,satfinite=yes,relu=no",               "FP4 conversion, of a and f targets"),
    ("ldmatrix.b16:shape=m8n8,num=x4,trans=no,space=shared,type=b16",         "fragments from shared memory"),
    ("cp_async.copy:cache=cg,size=16,space=shared,hint=none",                 "asynchronous copies"),
    ("mma_sync.f16:shape=m16n8k16,a=f16,d=f32",                               "tensor cores, the sm_80 way"),
    ("mma_sync.bf16_tf32:shape=m16n8k16,a=bf16,d=f32",                        "the same, bf16"),
    ("mma_sync.int8:shape=m16n8k32,a=s8,b=s8,d=s32,satfinite=no",             "the same, int8"),
    ("mma_sync.fp8:shape=m16n8k32,a=e4m3,b=e4m3,d=f32",                       "the same, FP8"),
    ("mma_sync.f8f6f4:shape=m16n8k32,a=e2m1,b=e2m1,d=f32",                    "kind::f8f6f4, of sm_12x"),
    ("mma_sync.mxf4:shape=m16n8k64,kind=mxf4nvf4,scale_vec=4X,a=e2m1,b=e2m1,d=f32,s=ue4m3,select=first",
                                                                              "NVFP4, of sm_12x"),
    ("bulk.load:sem=none,space=cta,hint=none,bytes=16",                       "bulk copies and mbarriers, sm_90 on"),
    ("tma.tensor_load:dim=2,space=cta,fmt=f16,at=inside,swizzle=none",        "TMA"),
    ("tma.tensor_multicast:dim=2,cluster=4,mask=0xf",                         "TMA multicast to a cluster"),
    ("wgmma.f16:n=256,d=f32,a=f16,b=f16,a_in=smem",                           "wgmma, of sm_90a alone"),
    ("wgmma.fp8:n=256,d=f32,a=e4m3,b=e4m3,a_in=smem",                         "the same, FP8"),
    ("tcgen05.alloc:cta_group=1,columns=32",                                  "tensor memory, of sm_100 and sm_11x"),
    ("tcgen05.mma:cta_group=1,kind=f16,atype=f16,btype=f16,dtype=f32,m=128,n=64,k=16,a_in=smem,swizzle=none",
                                                                              "the same, its matrix product"),
)  # fmt: skip


@cache
def cases() -> tuple[Case, ...]:
    """Return the quick set's cases. Raises `UsageError` for a row that names none."""
    return tuple(catalogue.find(case_id) for case_id, _ in QUICK)


@cache
def ids() -> frozenset[str]:
    """Return the ids of the quick set."""
    return frozenset(case_id for case_id, _ in QUICK)
