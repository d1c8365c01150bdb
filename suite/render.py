"""Stage 2, render: Case -> Source. Fills a family's Jinja template three times: armed, scaffold and control."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from suite.errors import UsageError
from suite.model import Kernel, Source
from suite.probe import Case

if TYPE_CHECKING:  # imported when first needed: a GPU machine that runs a bundle has no Jinja
    import jinja2

PTX = Path(__file__).resolve().parent.parent / "ptx"
MARK = "//@"  # ends every line on which the instruction in question stands


class TemplateError(UsageError):
    """A template that does not render, with its file and line."""


@cache
def render(case: Case) -> Source:
    """Return the case's three kernels.

    Raises `TemplateError`, with template and line, where the template is at fault.
    """
    armed = _kernel(case, armed=True, support=True)
    if not armed.marked:
        raise TemplateError(f"ptx/{case.probe.template}: the instruction stands on no line of it (case {case.id})")
    return Source(
        case.id,
        armed=armed,
        scaffold=_kernel(case, armed=False, support=True),
        control=_kernel(case, armed=False, support=False),
    )


def module_text(kernels: list[Kernel], target: str, ptx: tuple[int, int]) -> str:
    """Return a whole PTX module: the header, then the kernels."""
    return header(target, ptx) + "".join(kernel.text for kernel in kernels)


def header(target: str, ptx: tuple[int, int]) -> str:
    """Return the three-line PTX header."""
    return f".version {ptx[0]}.{ptx[1]}\n.target {target}\n.address_size 64\n"


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PTX),
        undefined=jinja2.StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        line_statement_prefix="//%",
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def _kernel(case: Case, *, armed: bool, support: bool) -> Kernel:
    body = _fill(case, armed=armed, support=support)
    lines = [line.rstrip() for line in body.splitlines() if line.strip()]
    marked = tuple(i for i, line in enumerate(lines) if line.endswith(MARK))
    text = "\n".join(line.removesuffix(MARK).rstrip() for line in lines) + "\n"
    name = "k" + hashlib.sha256(text.encode()).hexdigest()[:16]
    return Kernel(name, text.replace("KERNEL", name), marked)


def _fill(case: Case, *, armed: bool, support: bool) -> str:
    import jinja2

    instruction = f"{case.instruction} {MARK}" if armed else ""
    context = {
        "instruction": instruction,
        "armed": armed,
        "support": support,
        "operands": case.operands,
        "launch": case.launch,
        **{operand.name: operand for operand in case.operands},
        **case.params,
        **case.probe.fields(case.params),
    }
    try:
        return _environment().get_template(case.probe.template).render(context)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"ptx/{error.name}:{error.lineno}: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        raise TemplateError(f"ptx/{error.name}: no such template (case {case.id})") from error
    except (jinja2.UndefinedError, ArithmeticError, TypeError, ValueError) as error:
        raise TemplateError(f"{_place(error, case.probe.template)}: {error} (case {case.id})") from error


def _place(error: BaseException, template: str) -> str:
    """Return the innermost template and line in which the error arose, as Jinja's rewritten traceback names them."""
    found, trace = f"ptx/{template}", error.__traceback__
    while trace:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".j2":
            found = f"ptx/{file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
