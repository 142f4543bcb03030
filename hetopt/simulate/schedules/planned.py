"""The policy that keeps to a plan: its options, units, order, and times as long as they hold."""

from __future__ import annotations

from collections.abc import Sequence

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.slowing import slows, task_ends
from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.instance.states.idle_sleep_start_up import may_sleep
from hetopt.instance.tariffs import prices_vary
from hetopt.simulate.events import Action, DeviceDown, Event, Finished, Start, State, Wait
from hetopt.simulate.schedules.expected import Expected
from hetopt.simulate.schedules.policies import Dispatcher
from hetopt.simulate.schedules.shared.order import Order, order_of
from hetopt.solution import SchedulePlan


class Planned:
    """Keeps to a plan: its options, units, order, and times until a task takes another time.

    Where it matters when things run (prices that change, sleep, resources that slow), times are
    kept after that, too: nothing begins sooner than planned.

    Parameters
    ----------
    plan
        In terms of ``instance``.
    """

    delta_s: float | None = None

    def __init__(self, instance: Instance, plan: SchedulePlan, name: str = "plan") -> None:
        self.name, self.instance, self.plan = name, instance, plan
        self.network = Network(instance)
        self.timed = prices_vary(instance) or slows(instance) or may_sleep(instance)
        order = order_of(instance, plan, self.network, timed=True)
        self.order: Order | None = order
        self.rank = {t: place for place, t in enumerate(order.tasks)}
        self.begun, self.holds = False, True
        self.lasting = (
            task_ends(instance, plan.option, plan.unit, plan.start_s) - plan.start_s
        ).tolist()
        self._index = {str(n): t for t, n in enumerate(instance.tasks.name)}
        self._elsewhere = Dispatcher("greedy", instance)

    @property
    def times_kept(self) -> SchedulePlan | None:
        """The plan, where nothing begins sooner than it says as long as it has an order."""
        return self.plan if self.timed and self.delta_s is None else None

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return all starts at first; and others for tasks whose unit fails."""
        if not self.begun:
            return self.begins()
        if isinstance(event, DeviceDown):
            return self.moved(state) or (Wait(),)
        if isinstance(event, Finished):
            return self.let_go(state, event) or (Wait(),)
        return (Wait(),)

    def begins(self) -> tuple[Action, ...]:
        """Return all starts of the plan."""
        self.begun = True
        return tuple(self.starts(range(len(self.instance.tasks))))

    def starts(self, tasks: Sequence[int]) -> list[Action]:
        """Return what the plan asks for, in its order."""
        plan, instance = self.plan, self.instance
        found: list[Action] = []
        for t in sorted(tasks, key=self.rank.__getitem__):
            o = int(plan.option[t])
            found.append(
                Start(
                    str(instance.tasks.name[t]),
                    str(instance.devices.name[instance.options.device[o]]),
                    int(plan.unit[t]),
                    str(instance.options.label[o]),
                    not_before_s=float(plan.start_s[t]) if self.timed or self.holds else None,
                )
            )
        return found

    def let_go(self, state: State, event: Finished) -> tuple[Action, ...]:
        """Return the starts of all that waits, once times are no longer as planned."""
        if self.timed or not self.holds or not self._differs(event, LIMIT_TOLERANCE):
            return ()
        self.holds = False
        self.order = None if self.order is None else self.order.untimed()
        waits = [t for t, task in enumerate(state.tasks) if task.status in ("waiting", "ready")]
        return tuple(self.starts([t for t in waits if state.tasks[t].unit is not None]))

    def _differs(self, event: Finished, part: float) -> bool:
        expected = self.lasting[self._index[event.task]]
        slack = max(part * expected, LIMIT_TOLERANCE * event.time_s)
        return bool(abs((event.duration_s or 0.0) - expected) > slack)

    def moved(self, state: State) -> tuple[Action, ...]:
        """Return where the tasks go whose units are down."""
        expected = Expected(self.instance, self._elsewhere.network, state)
        found: list[Action] = []
        if self.holds and not self.timed:
            self.holds = False
            waits = [t for t, task in enumerate(state.tasks) if task.status in ("waiting", "ready")]
            found += self.starts([t for t in waits if expected.home[t] not in expected.down])
        # The plan's order and times are those of another world now.
        self.order, self.holds = None, False
        for t in self._elsewhere.order_of_tasks:
            task = state.tasks[t]
            stays = task.status in ("running", "done") or task.unit is None
            if stays or expected.home[t] not in expected.down:
                continue
            action = self._elsewhere.place(t, expected)
            if action is not None:
                found.append(action)
        return tuple(found)
