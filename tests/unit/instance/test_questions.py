"""Which questions can be asked of an instance."""

from __future__ import annotations

import pytest

from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.instance.questions import check_question

STREAM = """\
hetopt: 1
regime: steady
objective: power
devices: [{{name: gpu, count: {{min: 0{most}}}, idle_power: 1 W}}]
jobs:
  - name: chat
    rate: {rate}
    options:
      - {{device: gpu, time: 1 s, energy: 1 J}}
      - {{device: gpu, label: b, time: 9 s, energy: 1 J}}
"""


def stream(rate: str, most: str = ""):
    return read_instance("x.yaml", text=STREAM.format(rate=rate, most=most))


def test_a_rate_that_takes_more_units_than_can_be_counted_is_an_error():
    with pytest.raises(InputError, match=r"job chat: got 1.1e\+15 requests/s; A rate that 1e\+15"):
        check_question(stream("1.1e15"))
    check_question(stream("0.9e15"))


def test_a_rate_beyond_a_finite_fleet_is_a_question_with_the_answer_no():
    check_question(stream("1e20", most=", max: 5"))


def test_a_stream_without_devices_is_an_error_in_its_place():
    text = STREAM.format(rate="1", most="").replace("devices:", "links:")
    with pytest.raises(InputError, match="At least one row is expected in table devices"):
        read_instance("x.yaml", text=text)
    frames = "hetopt: 1\nregime: steady\nobjective: power\ndevices: []\n"
    frames += "tasks: [{name: t, job: j, profile: p}]\njobs: [{name: j, rate: 1}]\n"
    with pytest.raises(InputError, match="At least one row is expected in table devices"):
        read_instance("x.yaml", text=frames)


def test_an_option_that_takes_hopelessly_many_units_is_an_error():
    text = STREAM.format(rate="1000", most="").replace("9 s", "9223372036854775808 s")
    with pytest.raises(InputError, match=r"task chat, option on gpu, time: got 9\.22337e\+18 s"):
        check_question(read_instance("x.yaml", text=text))
