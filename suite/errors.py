"""Errors that a user can cause: one clear line with the remedy, and the exit code 2."""

from __future__ import annotations


class UsageError(Exception):
    """A request that cannot be met as it stands; its text is the one line the user sees."""


class DisassemblerError(Exception):
    """An nvdisasm that does not read a cubin, or bytes that are none; never a result."""


class IllegalInstructionError(DisassemblerError):
    """A cubin that nvdisasm cannot read as it holds words that are no instruction of its architecture."""
