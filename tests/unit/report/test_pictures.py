"""Pictures that stand alone: well-formed, complete, equal for equal input."""

import xml.etree.ElementTree as ET

import numpy as np

from hetopt import Model, SolveOptions, pareto, solve
from hetopt.instance import Instance
from hetopt.report.lines import Curve, lines
from hetopt.report.pictures import _bars, bars_picture, front_picture, in_page, schedule_picture

SVG = "{http://www.w3.org/2000/svg}"


def two_tasks() -> Instance:
    m = Model("two <small> & quick", objective="energy")
    cpu = m.device("cpu", kind="cpu", idle_power="1 W")
    npu = m.device("npu", kind="npu", idle_power="1 W")
    m.link(cpu, npu, bandwidth="1 GB/s", both_ways=True)
    job = m.job("frame", deadline="30 ms")
    grab = job.task("grab", options=[cpu.option(time="4 ms", energy="1 mJ")])
    detect = job.task(
        "detect",
        options=[
            cpu.option("slow", time="12 ms", energy="9 mJ"),
            npu.option("fast", time="5 ms", energy="30 mJ"),
        ],
    )
    m.transfer(grab, detect, bytes="1 MB")
    return m.build()


def test_a_schedule_shows_every_task_and_row_and_the_deadline():
    instance = two_tasks()
    plan = solve(instance, deterministic=True, time_limit=5).plan
    text = schedule_picture(instance, plan, deadline_s=0.03)
    root = ET.fromstring(text)
    words = [node.text for node in root.iter(f"{SVG}text")]
    assert {"cpu#0", "grab", "detect"} <= set(words)
    assert sum(node.get("class") == "limit" for node in root.iter(f"{SVG}line")) == 1
    assert text == schedule_picture(instance, plan, deadline_s=0.03)
    own = ET.fromstring(schedule_picture(instance, plan))
    limits = [n for n in own.iter(f"{SVG}line") if n.get("class") == "limit"]
    assert len(limits) == int(np.isfinite(instance.jobs.deadline_s).any())


def test_no_plan_of_a_front_is_drawn_under_the_bound_that_holds_there():
    front = pareto(
        two_tasks(),
        ("energy", "makespan"),
        points=3,
        options=SolveOptions(time_limit_s=5, deterministic=True),
    )
    root = ET.fromstring(front_picture(front))
    dots = [(float(n.get("cx")), float(n.get("cy"))) for n in root.iter(f"{SVG}circle")]
    assert len(dots) == len(front.efficient()) == 2
    (line,) = [n.get("d") for n in root.iter(f"{SVG}path") if n.get("class") == "lb"]
    corners = _corners(line)
    for x, y in dots:
        # The bound at a limit is that of the next wider limit asked; pixels grow downwards.
        at = [level for right, level in corners if right >= x - 0.1]
        assert y <= max(at[:1]) + 0.1


def test_a_front_without_points_says_so():
    instance = two_tasks()
    front = pareto(
        instance,
        ("energy", "makespan"),
        between=(1e-3, 2e-3),
        points=2,
        options=SolveOptions(time_limit_s=5, deterministic=True),
    )
    assert not [p for p in front.points if not np.isnan(p.value)]
    assert "No plan was found." in front_picture(front)


def test_bars_carry_their_own_style():
    root = ET.fromstring(bars_picture([("a & b", [1.0, 2.0], "3 kW")], "power"))
    assert root.tag == f"{SVG}svg"
    assert "fill" in root.find(f"{SVG}style").text
    assert [float(n.get("width")) for n in root.iter(f"{SVG}rect")][1] > 0


def _corners(path: str) -> list[tuple[float, float]]:
    """Return x at the right end and y of every level of a line ``Mx,yVyHx...``."""
    head, *levels = path[1:].split("V")
    x, y = head.split(",")
    return [(float(x), float(y))] + [
        (float(right), float(level)) for level, right in (part.split("H") for part in levels)
    ]


def test_a_picture_in_a_page_takes_the_pages_style():
    instance = two_tasks()
    alone = schedule_picture(instance, solve(instance, deterministic=True, time_limit=5).plan)
    assert "<style>" in alone
    assert "background:#fff" in alone
    inside = in_page(alone)
    assert "<style>" not in inside
    assert "background" not in inside
    assert inside.count("<rect") == alone.count("<rect")


def test_names_beside_bars_keep_off_the_lines_of_limits():
    bar = [0, 0.0, 1.0, "report@0", 1, ""]
    crossed, free = (_bars([bar], [(250.0, 260.0)], limits) for limits in ([280.0], []))
    assert 'class="soft end"' in crossed[0]  # to the left of the bar
    assert 'class="soft"' in free[0]
    shut = _bars([bar], [(250.0, 260.0)], [240.0, 280.0])
    assert "report@0</text>" not in shut[0]


def test_numbers_of_things_have_whole_levels():
    curve = Curve("a", np.array([0.0, 9.0]), np.array([2.0, 2.0]))
    levels = [text for text in ("0.5", "1.5") if f">{text}<" in lines([curve], "units", str, str)]
    assert levels == ["0.5", "1.5"]
    drawn = lines([curve], "units", str, str, counts=True)
    assert not any(f">{text}<" in drawn for text in ("0.5", "1.5"))
    assert ">2.0<" in drawn
