"""What an error text names: its cause, the rows of the matrix that bear on it, and what would accept it.

`reading` finds targets, opcodes, versions and codes in the text; `rules` holds causes and rules as data; `facts`
answers what rules ask from claims, targets and releases; `rows` from claims and records; `evidence` and `answer` put
ten lines together.
"""

from suite.explain.answer import Answer, explain

__all__ = ["Answer", "explain"]
