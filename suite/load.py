"""Stage 5, load: Cubin -> Kernel on the device. Runs in the GPU child; what to do about a refusal is launch's.

A module is a cubin, or PTX text that the driver compiles itself. A refusal that comes while one kernel is fetched (the
driver loads lazily) speaks of that kernel; one that comes for the module speaks of all of it.
"""

from __future__ import annotations

from typing import Any

from cuda.bindings import driver

from suite.gpu_calls import Refusal, attempt

_LOG_BYTES = 16384


class Modules:
    """The modules of one context: each is loaded once, its kernels are fetched by name."""

    def __init__(self) -> None:
        self._modules: dict[str, Any] = {}
        self._kernels: dict[tuple[str, str], Any] = {}

    def known(self, key: str, kernel: str) -> bool:
        """Tell whether the kernel is at hand, so that `kernel` is quick and cannot fail."""
        return (key, kernel) in self._kernels

    def kernel(self, key: str, image: bytes, kernel: str) -> Any:
        """Return the function of that name in the module of that key, which `image` holds.

        Raises `Refusal` of stage `load`, and `LookupError` for a module without such a kernel: that is our mistake.
        """
        if not self.known(key, kernel):
            if key not in self._modules:
                self._modules[key] = _load(image)
            self._kernels[key, kernel] = _fetch(self._modules[key], kernel)
        return self._kernels[key, kernel]


def _load(image: bytes) -> Any:
    if image.startswith(b"\x7fELF"):
        return attempt(driver.cuModuleLoadData(image), "load", "loading the module", whole=True)
    log = bytearray(_LOG_BYTES)
    option = driver.CUjit_option
    options = [option.CU_JIT_ERROR_LOG_BUFFER, option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
    answer = driver.cuModuleLoadDataEx(image + b"\0", len(options), options, [log, len(log)])
    said = bytes(log).split(b"\0", 1)[0].decode(errors="replace").strip()
    return attempt(answer, "load", said or "compiling the module's PTX", whole=True)


def _fetch(module: Any, kernel: str) -> Any:
    code, function = driver.cuModuleGetFunction(module, kernel.encode())
    if code == driver.CUresult.CUDA_ERROR_NOT_FOUND:
        raise LookupError(f"the module holds no kernel {kernel}")
    if code:
        raise Refusal(code.name, "load", f"fetching kernel {kernel}")
    # Asking for a fact of the function makes a lazy driver load it now, so that a refusal is not taken for a fault.
    fact = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS
    attempt(driver.cuFuncGetAttribute(fact, function), "load", f"loading kernel {kernel}")
    return function
