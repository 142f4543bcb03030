"""Boards: on while any of their units is, and they draw their idle power once."""

from __future__ import annotations

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.accounts import note_power, settle
from hetopt.simulate.kernels.heap import push
from hetopt.simulate.kernels.records import BOARD_READY, NOW, OFF, ON, STARTING, World


@inner
def board_is_on(w: World, g: int) -> bool:
    """Whether a unit stands on no board, or on one that is on or starts up."""
    b = w.unit[g]["board"]
    return bool(b < 0 or w.board[b]["status"] != OFF)


@inner
def join_board(w: World, g: int) -> float:
    """Let the board of a unit that goes on be on; return when it is up."""
    b = w.unit[g]["board"]
    if b < 0:
        return float(w.real[NOW])
    w.board[b]["units"] += 1
    if w.board[b]["status"] == OFF:
        d = w.board[b]["device"]
        settle(w, d)
        w.device[d]["active"] += 1.0
        w.device[d]["still_w"] += w.device[d]["idle_w"]
        w.board[b]["stamp"] += 1
        w.board[b]["ready"] = w.real[NOW] + w.board[b]["start_s"]
        if w.board[b]["start_s"] > 0.0:
            w.board[b]["status"] = STARTING
            w.board[b]["start_w"] = w.board[b]["start_j"] / w.board[b]["start_s"]
            w.device[d]["still_w"] += w.board[b]["start_w"]
            push(w, w.board[b]["ready"], BOARD_READY, b, w.board[b]["stamp"])
        else:
            w.board[b]["status"] = ON
            w.device[d]["idle_j"] += w.board[b]["start_j"]
    return float(w.board[b]["ready"])


@inner
def leave_board(w: World, g: int) -> None:
    """Let the board of a unit that went off go off with the last of them, where it may."""
    b = w.unit[g]["board"]
    if b < 0:
        return
    w.board[b]["units"] -= 1
    if w.board[b]["units"] > 0 or w.board[b]["never_off"]:
        return
    d = w.board[b]["device"]
    settle(w, d)
    if w.board[b]["status"] == STARTING:
        w.device[d]["still_w"] -= w.board[b]["start_w"]
    w.board[b]["status"] = OFF
    w.board[b]["stamp"] += 1
    w.device[d]["active"] -= 1.0
    w.device[d]["still_w"] -= w.device[d]["idle_w"]


@inner
def board_is_up(w: World, b: int) -> None:
    """End the start-up of a board."""
    d = w.board[b]["device"]
    settle(w, d)
    w.board[b]["status"] = ON
    w.device[d]["still_w"] -= w.board[b]["start_w"]
    note_power(w)
