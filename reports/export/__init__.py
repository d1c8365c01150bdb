"""The compact table behind `supports(target, opcode, toolkit=…)`, and the forms in which others take it along."""
