import csv
import itertools
import math

import numpy as np
import pytest

from hetopt.analysis.rounds import (
    NO_IDLE,
    _ideal,
    base_demand,
    round_instance,
    rounds,
)
from hetopt.default import default_instance
from hetopt.instance.mixes import balanced_shares
from hetopt.profiling.rounds import slices
from hetopt.report.rounds import (
    csv_row,
    rounds_csv,
    rounds_markdown,
    rounds_page,
    rounds_to_dict,
    summary,
)

SAMPLE = (
    "v1.1/closed/edge/offline",
    "v3.0/closed/datacenter/server",
    "v3.1/closed/edge/multistream",
    "v1.3/closed/tiny/singlestream",
    "v2.1/open/datacenter/server",
)
"""Slices of each sort: with devices of many sizes, the headline's, without idle, Tiny, no mix."""


@pytest.fixture(scope="module")
def all_slices():
    return slices()


@pytest.fixture(scope="module")
def found(all_slices):
    return list(rounds([s for s in all_slices if s.name in SAMPLE]))


@pytest.fixture(scope="module")
def stored(repo_path):
    path = repo_path / "docs" / "assets" / "rounds.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_stored_table_has_a_row_for_every_slice_of_the_catalogue(all_slices, stored):
    names = ["/".join(r[k] for k in ("round", "division", "suite", "scenario")) for r in stored]
    assert names == [s.name for s in all_slices]
    for s, row in zip(all_slices, stored, strict=True):
        assert (int(row["rows"]), int(row["networks"])) == (s.rows, len(s.networks))


def test_the_stored_table_is_what_a_run_gives_today(found, stored):
    rows = {"/".join(list(r.values())[:4]): r for r in stored}
    assert [r.data.name for r in found] == sorted(SAMPLE, key=list(rows).index)
    for r in found:
        assert csv_row(r) == rows[r.data.name]


def test_the_page_shows_the_stored_figures(found, repo_path):
    page = (repo_path / "docs" / "rounds.md").read_text(encoding="utf-8")
    for line in rounds_markdown(found).splitlines():
        if line.startswith("| v"):
            assert line in page


def test_the_readme_quotes_median_and_range_of_the_stored_table(stored, repo_path):
    text = " ".join((repo_path / "README.md").read_text(encoding="utf-8").split())
    for column in ("saving_4x", "gain_50kw"):
        values = [float(r[column]) for r in stored if r[column]]
        quoted = [f"{100 * v:.1f} %" for v in (np.median(values), min(values), max(values))]
        assert "median {}, from {} to {}".format(*quoted) in text


def test_every_figure_is_proven(found):
    for r in found:
        for gain in (r.saving, r.increase):
            if not math.isnan(gain.value):
                assert gain.value - 1e-5 <= gain.proven <= gain.value


def test_the_headline_round_gives_the_headline_gain_with_the_h100(found):
    (r,) = [r for r in found if r.data.name == "v3.0/closed/datacenter/server"]
    assert (round(r.saving.value, 3), round(r.increase.value, 3)) == (0.270, 0.342)
    assert r.without_newest is not None
    assert r.best == "H100-PCIe-80GBx8_TRT_MaxQ"


def test_a_round_without_idle_power_has_ideal_figures_only(found):
    (r,) = [r for r in found if r.data.name == "v3.1/closed/edge/multistream"]
    assert r.note == NO_IDLE
    assert math.isnan(r.saving.value)
    assert r.ideal >= 0


def test_the_mix_and_demand_of_the_headline_follow_from_the_same_rules(all_slices):
    (data,) = [s for s in all_slices if s.name == "v3.0/closed/datacenter/server"]
    headline = default_instance()
    keep = [d for d, n in enumerate(data.names) if "A100-PCIe" in n]
    names = [str(n) for n in headline.jobs.name]
    order = [data.networks.index(n) for n in names]
    shares = balanced_shares(data.energy_j[np.ix_(order, keep)])
    rates = headline.jobs.rate_per_s
    assert shares == pytest.approx(rates / rates.sum())


def test_the_ideal_saving_is_that_of_the_best_of_all_assignments():
    energy = np.array([[3.0, 2.0, np.nan], [1.0, 4.0, 0.5], [2.0, 2.5, np.nan]])
    rates = np.array([0.2, 0.5, 0.3])
    ways = [[e for e in row if not np.isnan(e)] for row in energy]
    mixed = min(float(np.dot(w, rates)) for w in itertools.product(*ways))
    alone = min(float(energy[:, d] @ rates) for d in (0, 1))
    saving, best = _ideal(energy, rates[:, np.newaxis])
    assert saving[0] == pytest.approx(1 - mixed / alone)
    assert best[0] == 0


def test_base_demand_and_instance_are_those_of_the_slice(all_slices):
    (data,) = [s for s in all_slices if s.name == "v2.0/closed/edge/multistream"]
    shares = balanced_shares(data.energy_j)
    demand = base_demand(data, shares)
    instance = round_instance(data, shares, demand)
    assert instance.jobs.rate_per_s.sum() == pytest.approx(demand)
    whole = instance.options.energy_j + 0.0
    idle = instance.devices.idle_power_w[instance.options.device] * instance.options.time_s
    assert sorted(whole + idle) == pytest.approx(sorted(data.energy_j[~np.isnan(data.energy_j)]))


def test_rows_used_and_dropped_add_up(all_slices):
    for s in all_slices:
        used = int((~np.isnan(s.time_s)).sum())
        assert used == s.rows - sum(n for _, n in s.dropped)


def test_every_form_says_that_figures_are_derived(found):
    for text in (rounds_markdown(found), rounds_page(found)):
        assert "not verified by MLCommons" in text
        assert "Slices overlap" in text
    assert len(rounds_csv(found).splitlines()) == len(found) + 1
    assert len(rounds_to_dict(found)["rounds"]) == len(found)
    assert "median" in " ".join(summary(found))
