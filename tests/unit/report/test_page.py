"""The page about a plan: what it says, that it stands alone, and that its picture works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hetopt import Instance, SchedulePlan, default_instance, read_instance, solve
from hetopt.cli.app import app
from hetopt.evaluate.with_units import digits_of_times
from hetopt.formats.plans import solution_to_dict
from hetopt.generate import generate_schedule
from hetopt.report.gantt import gantt
from hetopt.report.page import report_page
from hetopt.schedule.list_scheduling.constructors import heft

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"),
)


@pytest.fixture(scope="module")
def schedule() -> tuple[Instance, SchedulePlan]:
    instance = generate_schedule(40, 4, seed=3, ccr=0.5)
    plan = heft(instance)
    assert plan is not None
    return instance, plan


class Links(HTMLParser):
    """Everything that a page would load, and every tag left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.loads += [v for k, v in attrs if k in ("src", "href") and v]
        if tag not in ("meta", "br", "link", "rect", "line", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag in ("rect", "line", "path"):
            return
        assert self.open.pop() == tag


def test_a_page_loads_nothing_and_closes_every_tag(schedule) -> None:
    page = report_page(*schedule, {}, command="hetopt report x")
    links = Links()
    links.feed(page)
    assert links.loads == []
    assert links.open == []
    assert "url(" not in page
    assert "@import" not in page


def test_the_answer_says_what_is_proven_and_nothing_more() -> None:
    instance = default_instance()
    solution = solve(instance, time_limit=20)
    assert solution.plan is not None
    proven = report_page(instance, solution.plan, solution_to_dict(instance, solution))
    assert "no plan is better, which is proven" in proven
    bare = report_page(instance, solution.plan, {})
    assert "how far from the best is not known" in bare
    half = {"objective_name": "power", "bound": solution.bound / 2}
    assert "gap 50 %" in report_page(instance, solution.plan, half)


def test_every_task_and_hop_is_a_bar_of_its_time(schedule) -> None:
    instance, plan = schedule
    drawn = gantt(instance, plan)
    tasks = {bar[3]: bar for bar in drawn["bars"] if bar[4] >= 0}
    assert len(tasks) == len(instance.tasks)
    assert len(drawn["bars"]) - len(tasks) == len(plan.hops)
    for name, start in zip(instance.tasks.name.tolist(), plan.start_s.tolist(), strict=True):
        assert tasks[name][1] == pytest.approx(start, rel=1e-6)
    assert {bar[0] for bar in drawn["bars"]} == set(range(len(drawn["rows"])))


def test_a_front_is_drawn_with_its_proven_line(schedule) -> None:
    points = [
        {"makespan": m, "energy": e, "limit": m, "bound": e, "efficient": True, "status": "optimal"}
        for m, e in ((3.0, 6.5), (2.0, 7.0), (1.0, 9.0))
    ]
    front = {"held": "makespan", "optimised": "energy", "points": points, "notes": ["Whole."]}
    page = report_page(*schedule, {}, front=front)
    assert page.count("<circle") == 3
    assert "no plan beyond this line" in page
    assert "6.5 J" in page


def test_names_from_files_cannot_become_markup(schedule) -> None:
    instance, plan = schedule
    names = instance.tasks.name.copy()
    names[0] = "</script><b>x"
    tasks = replace(instance.tasks, name=names)
    page = report_page(replace(instance, tasks=tasks, name="<i>y"), plan, {})
    assert "<b>x" not in page.replace("<\\/script><b>x", "")
    assert "<i>y" not in page


def test_a_page_grows_by_no_more_than_its_bars(schedule) -> None:
    instance, plan = schedule
    bars = len(instance.tasks) + len(plan.hops)
    assert len(report_page(instance, plan, {})) < 30_000 + 400 * bars


def test_the_command_shows_a_plan_beside_its_comparison(tmp_path: Path, repo_path: Path) -> None:
    def run(*arguments: object):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    file = repo_path / "instances" / "mlperf-v3.0-server.yaml"
    plan, beside, page = (tmp_path / name for name in ("p.json", "c.json", "p.html"))
    assert run("solve", file, "-o", plan).exit_code == 0
    assert run("compare", file, "--no-sensitivity", "-o", beside).exit_code == 0
    assert run("report", file, plan, "--comparison", beside, "-o", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "29.00 % less power" in text
    assert "not verified by MLCommons" in text
    refused = run("report", file, plan, "--comparison", plan, "-o", page)
    assert refused.exit_code == 2
    assert "hetopt compare -o" in refused.stderr


PROBE = """
<script>
const canvas = document.querySelector("#gantt canvas");
const tip = document.getElementById("tip");
const seen = [];
const hover = (x, y) => {
  const at = canvas.getBoundingClientRect();
  const place = {clientX: at.left + x, clientY: at.top + y};
  canvas.dispatchEvent(new PointerEvent("pointermove", place));
  seen.push(tip.style.display === "block" ? tip.textContent : "");
};
const shot = () => canvas.toDataURL().length;
for (let x = canvas.clientWidth - 5; x > 0 && !seen.some((t) => t); x -= 5) hover(x, 16);
const whole = shot();
for (let k = 0; k < 8; k++) {
  canvas.dispatchEvent(new KeyboardEvent("keydown", {key: "+"}));
}
const near = shot();
document.querySelector("[data-key=Home]").click();
document.body.dataset.probe = JSON.stringify(
  {tip: seen.find((t) => t) || "", zooms: whole !== near, returns: whole === shot()});
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian package chromium)")
def test_hover_and_zoom_work_in_a_browser_without_console_errors(schedule, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(report_page(*schedule, {}) + PROBE, encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run(
        [str(CHROMIUM), *FLAGS, profile, "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in shown.stderr
    found = re.search(r'data-probe="([^"]*)"', shown.stdout)
    assert found is not None
    probe = json.loads(found[1].replace("&quot;", '"'))
    assert re.match(r"t\d+\n.* to .*", probe["tip"])
    assert probe["zooms"]
    assert probe["returns"]


def test_set_ups_stand_in_the_row_of_their_unit() -> None:
    instance = read_instance("fpga-bitstreams")
    plan = solve(instance, method="heuristic", time_limit=2).plan
    drawn = gantt(instance, plan)
    rows = {drawn["rows"][bar[0]] for bar in drawn["bars"] if bar[3].startswith("set-up")}
    assert rows == {"fpga#0"}


def test_times_have_the_digits_that_tell_starts_from_ends() -> None:
    assert digits_of_times(np.array([0.0, 0.239]), np.array([0.02, 0.2390175])) == 7
    assert digits_of_times(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == 4
    assert digits_of_times(np.array([1.0]), np.array([1.0])) == 4
