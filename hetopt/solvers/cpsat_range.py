"""Rows of CP-SAT models within 64 bits: what could overflow is counted more coarsely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel

LARGEST = 1 << 61
"""Largest sum of |coefficient| × |value| that is left in a row; CP-SAT refuses a model in which one
may leave 64 bits."""

TOO_LARGE = "CP-SAT was left out, as its numbers could leave 64 bits."

_ENDLESS = 1 << 62
"""Limits of a row beyond this stand for none."""


def within_range(model: CpModel) -> bool:
    """Divide the rows of a model that could overflow; return whether CP-SAT takes it.

    A row Σ c (x − l) ≤ b, with l the least values of its variables, becomes Σ ⌊c / q⌋ (x − l) ≤
    ⌊b / q⌋, which holds wherever the row does: the model is only relaxed, so that its bounds and
    `infeasible` are proofs still, and a plan is checked in any case. An objective that could
    overflow is left, and with it the model refused.
    """
    if not model.validate():
        return True
    proto: Any = model.proto
    for row in list(proto.constraints):
        if row.HasField("linear"):
            _divide(proto, row)
    return not model.validate()


def _divide(proto: Any, row: Any) -> None:
    """Divide one row, as two where it has limits on both sides, until its sums are in range."""
    linear = row.linear
    coefficients = list(linear.coeffs)
    low = [proto.variables[v].domain[0] for v in linear.vars]
    high = [proto.variables[v].domain[-1] for v in linear.vars]
    size = sum(
        abs(c) * max(abs(a), abs(b)) for c, a, b in zip(coefficients, low, high, strict=True)
    )
    if size <= LARGEST or len(linear.domain) != 2:
        return
    least, most = linear.domain
    part = -(-size // LARGEST)
    sides = []
    if most < _ENDLESS:
        sides.append((coefficients, most))
    if least > -_ENDLESS:
        sides.append(([-c for c in coefficients], -least))
    for number, (own, limit) in enumerate(sides):
        target = row if number == 0 else proto.constraints.add()
        if number:
            target.CopyFrom(row)
        made = [c // part for c in own]
        begin = sum(c * a for c, a in zip(own, low, strict=True))
        room = (limit - begin) // part + sum(c * a for c, a in zip(made, low, strict=True))
        target.linear.ClearField("coeffs")
        target.linear.coeffs.extend(made)
        target.linear.ClearField("domain")
        target.linear.domain.extend([-(1 << 63), max(room, -(1 << 62))])
