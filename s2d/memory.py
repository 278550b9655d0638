"""The C library's allocator, told to keep what large tensors free: by default it gives it back to the system.

Pages that come anew from the system are filled with zeros one by one; at 512 pixels that took a quarter of the time of
an animated frame. PyTorch's tuning guide advises another allocator for the same reason; glibc's own does as well.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
LARGEST = 32 << 20  # bytes that are taken from the heap, not from the system: the most that glibc allows
KEPT = 1 << 30  # bytes free at the heap's end from which on it gives them back


def keep_freed() -> bool:
    """Keep up to KEPT bytes of freed memory for what comes next; whether that could be had: elsewhere nothing changes.

    It holds for the whole process.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no glibc: macOS, musl, Windows
        return False
    return all(bool(mallopt(name, value)) for name, value in ((MMAP_THRESHOLD, LARGEST), (TRIM_THRESHOLD, KEPT)))
