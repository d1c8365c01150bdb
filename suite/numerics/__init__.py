"""Bit-exact models of matrix units, what they are judged by, and the inputs that can tell them apart.

Arrays are bit patterns (uint64) of logical row-major matrices with a leading axis of trials. docs/numerics.md tells
what is known of each unit, and from where.
"""
