"""What an installation does not have is named with what installs it."""

import pytest

from hetopt.errors import InputError
from hetopt.profiling.extras import load_extra


def test_a_missing_extra_is_one_line_with_its_command():
    with pytest.raises(InputError) as raised:
        load_extra("no_such_runtime.part", "openvino", "--on")
    text = str(raised.value)
    assert "no_such_runtime, which is not installed: pip install 'hetopt[openvino]'." in text
    assert "\n" not in text
