"""What is computed from an instance is kept with it, and with no changed one."""

from dataclasses import replace

from hetopt import default_instance
from hetopt.instance import Instance
from hetopt.instance.derived import once


def test_a_function_is_asked_once_for_each_instance():
    asked = []

    @once
    def made(instance: Instance) -> None:
        asked.append(instance)

    one = default_instance()
    made(one)
    made(one)
    assert len(asked) == 1
    made(replace(one, description="another"))
    assert len(asked) == 2
