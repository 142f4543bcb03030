from dataclasses import replace

import numpy as np

from hetopt import default_instance
from hetopt.caveats import caveats
from hetopt.instance import Instance


def with_scopes(instance: Instance, scopes: list[str]) -> Instance:
    column = np.array(scopes, dtype=instance.devices.scope.dtype)
    return replace(
        instance,
        allow_mixed_scopes=True,
        devices=replace(instance.devices, scope=column),
    )


def test_previews_and_the_owner_of_the_figures_are_named():
    notes = caveats(default_instance())
    assert notes[0] == "Preview, not on sale when measured: n3000."
    assert any("closed/NVIDIA/results/A100-PCIe-80GBx8_TRT_MaxQ" in note for note in notes)
    assert "not verified by MLCommons" in notes[-1]


def test_mixed_scopes_are_named_only_where_they_are_mixed():
    one = with_scopes(default_instance(), ["wall"] * 4)
    two = with_scopes(default_instance(), ["wall", "board", "", "wall"])
    assert not any("scope" in note for note in caveats(one))
    assert "Power figures of different scope are compared: wall, board." in caveats(two)
