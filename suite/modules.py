"""What can be told of a module without a driver: how many kernels it holds."""

from __future__ import annotations

import re
import struct

# Of a 64-bit ELF header: section table's offset; then size and number of its entries, and the name table's index; and
# of a section header: the name's offset, and the section's offset and size. Source: ELF-64 object file format 1.5.
_SECTION_TABLE = (0x28, "<Q")
_SECTION_COUNTS = (0x3A, "<HHH")
_SECTION_NAME = (0x00, "<I")
_SECTION_PLACE = (0x18, "<QQ")

_ENTRY = re.compile(rb"^\s*(?:\.(?:visible|weak|extern)\s+)*\.entry\b", re.MULTILINE)


def kernels_in(image: bytes) -> int:
    """Return the number of kernels in a cubin, or in PTX text; 0 where it cannot be told.

    A cubin has one `.text.NAME` section a kernel; device functions that were not inlined count as well.
    """
    if not image.startswith(b"\x7fELF"):
        return len(_ENTRY.findall(image))
    (table,) = struct.unpack_from(_SECTION_TABLE[1], image, _SECTION_TABLE[0])
    size, count, names = struct.unpack_from(_SECTION_COUNTS[1], image, _SECTION_COUNTS[0])
    headers = [image[table + i * size : table + (i + 1) * size] for i in range(count)]
    if not headers:
        return 0
    start, length = struct.unpack_from(_SECTION_PLACE[1], headers[names], _SECTION_PLACE[0])
    strings = image[start : start + length]
    offsets = [struct.unpack_from(_SECTION_NAME[1], header, _SECTION_NAME[0])[0] for header in headers]
    return sum(strings.startswith(b".text.", offset) for offset in offsets)
