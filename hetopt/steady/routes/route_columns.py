"""A pool of routes as columns over *measures*: what a request of each route takes of what.

Every row of the program that limits routes is a linear map of a route's measures, and so is every
objective, but for accuracy. Prices of rows therefore become prices of measures, by which all
routes of a pool are priced in one product, and a route that is not in the pool yet task by task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.tables import Table
from hetopt.steady.model.resources import ResourceLimit, resource_limits

if TYPE_CHECKING:
    from hetopt.steady.routes.route import Route
    from hetopt.steady.routes.single_task_routes import Columns


@dataclass(frozen=True, slots=True)
class Measures:
    """Numbers of the measures, M in all.

    Attributes
    ----------
    devices
        Measure d is busy time on device d, in seconds; there are this many devices.
    links
        Measure ``devices`` + l is bytes over link l; there are this many links.
    resources
        The others are what is taken of each limit of a resource, in this order.
    """

    devices: int
    links: int
    resources: tuple[ResourceLimit, ...]

    @staticmethod
    def of(instance: Instance) -> Measures:
        """Return the measures of an instance."""
        limits = tuple(resource_limits(instance))
        return Measures(len(instance.devices), len(instance.links), limits)

    def __len__(self) -> int:
        return self.devices + self.links + len(self.resources)

    def link(self, link: int) -> int:
        """Return the measure of bytes over a link."""
        return self.devices + link

    def resource(self, resource: ResourceLimit) -> int:
        """Return the measure of a limit of a resource."""
        return self.devices + self.links + self.resources.index(resource)


@dataclass(frozen=True, slots=True)
class ColumnPool(Table):
    """N routes of G streams.

    Attributes
    ----------
    stream
        Stream of each route (N).
    energy_j
        Per request, transfers included (N).
    accuracy
        inf where none is stated (N).
    use
        Sparse rows, N × M: what a request takes of each measure.
    """

    stream: Ints
    energy_j: Floats
    accuracy: Floats
    use: Any

    def subset(self, routes: Ints | Bools) -> ColumnPool:
        """Return some of the routes."""
        return ColumnPool(
            self.stream[routes], self.energy_j[routes], self.accuracy[routes], self.use[routes]
        )


def pool_of_columns(instance: Instance, columns: Columns) -> ColumnPool:
    """Return the pool of the routes of single-task jobs."""
    from scipy.sparse import csr_array

    measures = Measures.of(instance)
    count = len(columns)
    wide = 1 + len(columns.taken)
    index = np.empty((count, wide), dtype=np.int64)
    value = np.empty((count, wide))
    index[:, 0], value[:, 0] = columns.device, columns.busy_s
    for k, (resource, amount) in enumerate(columns.taken.items(), start=1):
        index[:, k], value[:, k] = measures.resource(resource), amount
    ptr = np.arange(0, count * wide + 1, wide)
    use = csr_array((value.ravel(), index.ravel(), ptr), shape=(count, len(measures)))
    return ColumnPool(columns.stream, columns.energy_j, columns.accuracy, use)


def pool_of_routes(instance: Instance, routes: Sequence[Route]) -> ColumnPool:
    """Return the pool of routes of graph jobs, a stream for each job."""
    from scipy.sparse import csr_array

    measures = Measures.of(instance)
    ptr, index, value = [0], [], []
    for route in routes:
        entries = [*route.busy_s.items()]
        entries += [(measures.link(link), size) for link, size in route.link_b.items()]
        entries += [(measures.resource(resource), a) for resource, a in route.taken.items()]
        index += [measure for measure, _ in entries]
        value += [amount for _, amount in entries]
        ptr.append(len(index))
    use = csr_array((value, index, ptr), shape=(len(routes), len(measures)), dtype=np.float64)
    return ColumnPool(
        stream=np.array([route.job for route in routes], dtype=np.int64),
        energy_j=np.array([route.energy_j for route in routes], dtype=np.float64),
        accuracy=np.array([route.accuracy for route in routes], dtype=np.float64),
        use=use,
    )
