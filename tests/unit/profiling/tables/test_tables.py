from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from hetopt import InputError, read_instance, solve
from hetopt.profiling.tables.logs import LogTask
from hetopt.profiling.tables.measurement import Measurement, option_tables
from hetopt.profiling.tables.read import read_measurements
from tests import command_line


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_units_stand_in_the_heading(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.csv",
        "device,model,precision,latency [ms],power (W),energy_mj,batch\n"
        "npu,resnet50,int8,4.5,3,9,1\n"
        "cpu,resnet50,fp32,45,12,,1\n",
    )
    npu, cpu = read_measurements([path])
    assert (npu.device, npu.task, npu.label) == ("npu", "resnet50", "int8")
    assert npu.time_s == pytest.approx(0.0045)
    assert npu.energy_j == pytest.approx(0.009)
    assert cpu.power_w == 12
    assert math.isnan(cpu.energy_j)


def test_semicolons_and_decimal_commas_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "messung.csv",
        "Gerät;Netz;Dauer [ms];Leistung [W]\nnpu;a;4,5;3,25\ncpu;a;1.045,5;12\n",
    )
    named = {"Gerät": "device", "Netz": "task", "Dauer [ms]": "time", "Leistung [W]": "power"}
    npu, cpu = read_measurements([path], columns=named)
    assert npu.time_s == pytest.approx(0.0045)
    assert npu.power_w == 3.25
    assert cpu.time_s == pytest.approx(1.0455)


def test_a_unit_may_follow_the_field_that_a_column_is_named_as(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "gpu,model,measured\nL4,bert,120\n")
    (row,) = read_measurements([path], columns={"measured": "time:ms"})
    assert row.time_s == pytest.approx(0.12)


def test_excel_files_are_tables_too(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the excel extra")
    book = openpyxl.Workbook()
    book.active.append(["device", "task", "time [ms]"])
    book.active.append(["npu", "a", 4.5])
    book.save(tmp_path / "a.xlsx")
    (row,) = read_measurements([tmp_path / "a.xlsx"])
    assert row.time_s == pytest.approx(0.0045)


def test_json_lines_are_tables_too(tmp_path: Path) -> None:
    rows = [{"device": "npu", "task": "a", "time_s": 0.1 + i, "energy": None} for i in range(3)]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [row.time_s for row in read_measurements([path])] == [0.1, 1.1, 2.1]


def test_a_throughput_is_a_time_of_the_whole_batch(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "device,model,batch,images_per_s\ngpu,a,8,400\n")
    (row,) = read_measurements([path])
    assert row.time_s == pytest.approx(0.02)
    assert row.streams


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("device,model\nnpu,a\n", "time"),
        ("device,task,time\nnpu,a,fast\n", "a.csv:2, column time"),
        ("device,task,time\nnpu,a,-1\n", "at least 0"),
        ("device,task,time\nnpu,a,1e400\n", "a.csv:2, column time"),
        ("device,task,time\nnpu,a,1,2\n", "3 cells"),
        ("device,task,time,time\nnpu,a,1,2\n", "each once"),
        ("device,task,time\n,a,1\n", "name of a device"),
        ("device,task,time\nnpu,a,\n", "At least one row"),
        ("device,task,time,batch\nnpu,a,1,0\n", "whole number"),
        ("device,task,time [parsec]\nnpu,a,1\n", "parsec is no unit of time"),
        ("device,task,time [W]\nnpu,a,1\n", "W is no unit of time"),
    ],
)
def test_a_wrong_table_is_one_clear_line(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", text)
    with pytest.raises(InputError, match=said):
        read_measurements([path])
    done = command_line.hetopt("profile", path, "--as", "options")
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("columns", ["nothing", "x=time", "time=no-field", "time=time:kg"])
def test_columns_that_are_not_there_are_named(columns: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "device,task,time\nnpu,a,1\n")
    assert command_line.hetopt("profile", path, "--columns", columns).returncode == 2


def test_many_runs_of_an_option_state_their_interval() -> None:
    rows = [Measurement("npu", "a", "int8", 0.010 + 0.0001 * i, 0.5) for i in range(101)]
    (option,) = option_tables(rows, "here").tables["options"]
    assert option["time_s"] == pytest.approx(0.015)
    assert option["time_low_s"] == pytest.approx(0.0105)
    assert option["time_high_s"] == pytest.approx(0.0195)
    few = option_tables(rows[:5], "here").tables["options"][0]
    assert "time_low_s" not in few


def test_options_without_energy_among_others_leave_it_out_and_say_so() -> None:
    rows = [Measurement("npu", "a", "", 0.01, 0.5), Measurement("cpu", "a", "", 0.1)]
    made = option_tables(rows, "here")
    assert "energy_j" not in made.tables["options"][0]
    assert made.settings["objective"] == ["makespan"]
    assert "1 of 2" in made.notes[0]


AIHUB = """\
precisions:
  float:
    components:
      ResNet50:
        performance_metrics:
          Samsung Galaxy S24:
            tflite:
              job_id: a
              inference_time_milliseconds: 1.571
              estimated_peak_memory_range_mb: {min: 0, max: 207}
              primary_compute_unit: NPU
            onnx:
              job_id: b
              primary_compute_unit: NPU
"""


def test_ai_hubs_own_files_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "resnet50/perf.yaml", AIHUB)
    (row,) = read_measurements([path])
    assert (row.device, row.task, row.label) == (
        "Samsung Galaxy S24 NPU",
        "resnet50",
        "float tflite",
    )
    assert row.time_s == pytest.approx(0.001571)
    assert row.memory_b == 207e6


OPENVINO = (
    "Network model,Release,IE-Type,Platform name,Throughput-INT8,Throughput-FP16,"
    "Throughput-FP32,TDP\n"
    "begin_rec, , , ,,,,\n"
    "bert,OV-2024.3.0,core,Intel® Core™ i7-1185GRE CPU-only,40,,14,15\n"
    "bert,OV-2024.3.0,core,Intel® Core™ i7-1185GRE CPU+iGPU,50,,,15\n"
    "end_rec,,,,,,,\n"
)


def test_openvinos_own_table_is_read(tmp_path: Path) -> None:
    rows = read_measurements([written(tmp_path, "ov.csv", OPENVINO)])
    assert [(r.device, r.label) for r in rows] == [
        ("Intel Core i7-1185GRE cpu", "int8"),
        ("Intel Core i7-1185GRE cpu", "fp32"),
        ("Intel Core i7-1185GRE cpu+igpu", "int8"),
    ]
    assert rows[0].time_s == pytest.approx(1 / 40)


def test_aiconfigurators_results_are_read(tmp_path: Path) -> None:
    head = "model,isl,osl,concurrency,ttft,tpot,request_latency,seq/s,tokens/s,num_total_gpus"
    head += ",parallel,gemm,backend,system,power_w\n"
    body = "QWEN3_32B,4000,500,16,300,20,10000,1.5,750,2,tp2,fp8,trtllm,h200_sxm,400\n"
    (row,) = read_measurements([written(tmp_path, "pareto.csv", head + body)])
    assert (row.device, row.task) == ("h200_sxm x2", "QWEN3_32B 4000+500")
    assert row.time_s == pytest.approx(1 / 1.5)
    assert row.power_w == 800
    assert row.latency_s == 10


def test_aiconfigurators_replicas_with_prefill_and_decode_apart_are_one_device(
    tmp_path: Path,
) -> None:
    head = "model,isl,osl,concurrency,(p)workers,(d)workers,ttft,tpot,request_latency,seq/s"
    head += ",num_total_gpus,(p)tp,(p)pp,(p)dp,(p)parallel,(p)gemm,(p)backend,(p)system"
    head += ",(d)tp,(d)pp,(d)dp,(d)parallel,(d)gemm,(d)backend,(d)system,power_w\n"
    body = "QWEN3_32B,4000,500,64,2,1,300,20,9000,3,6,1,1,1,tp1,fp8,trtllm,h100_sxm"
    body += ",4,1,1,tp4,fp8,trtllm,h200_sxm,500\n"
    (row,) = read_measurements([written(tmp_path, "best_config_topn.csv", head + body)])
    assert row.device == "h100_sxm x2 + h200_sxm x4"
    assert row.label == "2 of tp1 fp8 trtllm + 1 of tp4 fp8 trtllm concurrency 64"
    assert row.time_s == pytest.approx(1 / 3)
    assert row.power_w == 3000
    assert row.latency_s == 9


def test_profiles_of_onnx_runtime_give_the_runs_after_the_first(tmp_path: Path) -> None:
    def event(cat: str, name: str, dur: int, **args: str) -> dict[str, object]:
        return {"cat": cat, "name": name, "dur": dur, "ts": 0, "ph": "X", "args": args}

    runs = [event("Session", "model_run", dur) for dur in (9000, 2000, 2200)]
    nodes = [event("Node", "conv", 1500, provider="CPUExecutionProvider")]
    path = written(tmp_path, "model.json", json.dumps([*runs, *nodes]))
    rows = read_measurements([path])
    assert [row.time_s for row in rows] == pytest.approx([0.002, 0.0022])
    assert {row.device for row in rows} == {"onnxruntime:cpu"}
    cut = written(tmp_path, "open.json", json.dumps([*nodes, *runs])[:-1] + ",")
    assert len(read_measurements([cut])) == 2


def test_nvidia_smi_logs_give_draw_while_busy_and_idle(tmp_path: Path) -> None:
    head = "timestamp, name, power.draw [W], utilization.gpu [%]\n"
    rows = [(60, 0)] * 3 + [(250, 98)] * 10 + [(62, 1)] * 3
    text = head + "".join(
        f"2026/11/30 12:00:{i:02}.000, L4, {watts}.00 W, {load} %\n"
        for i, (watts, load) in enumerate(rows)
    )
    path = written(tmp_path, "smi.csv", text)
    (row,) = read_measurements([path], ran=LogTask("bert", runs=1000))
    assert row.device == "L4"
    assert row.power_w == 250
    assert row.idle_power_w == pytest.approx(61, abs=1)
    assert row.time_s == pytest.approx(0.01)
    with pytest.raises(InputError, match="--runs"):
        read_measurements([path])


def test_tegrastats_logs_take_the_rail_of_the_board(tmp_path: Path) -> None:
    line = (
        "07-14-2025 10:29:{:02} RAM 2147/7620MB (lfb 2x4MB) CPU [0%@729] GR3D_FREQ {}% "
        "cpu@47C VDD_IN {}mW/{}mW VDD_SOC 1451mW/1451mW\n"
    )
    loads = [0, 0, 90, 92, 91, 0]
    text = "".join(line.format(i, g, 4500 + 50 * g, 1) for i, g in enumerate(loads))
    path = written(tmp_path, "tegra.log", text)
    (row,) = read_measurements([path], ran=LogTask("a", "orin", runs=300))
    assert row.device == "orin"
    assert row.power_w == pytest.approx(9.05)
    assert row.idle_power_w == pytest.approx(4.5)
    assert row.time_s == pytest.approx(0.01)


def test_perf_logs_give_the_package_and_its_memory(tmp_path: Path) -> None:
    text = (
        " Performance counter stats for './a':\n\n"
        "          1,200.50 Joules power/energy-pkg/\n"
        "            100.00 Joules power/energy-ram/\n\n"
        "      10.000000 seconds time elapsed\n"
    )
    (row,) = read_measurements([written(tmp_path, "p.txt", text)], ran=LogTask("a", runs=100))
    assert row.time_s == pytest.approx(0.1)
    assert row.power_w == pytest.approx(130.05)


def test_mlperf_folders_give_valid_runs(tmp_path: Path) -> None:
    def run(system: str, scenario: str, *lines: str) -> None:
        text = "\n".join(lines) + "\n"
        place = f"results/{system}/resnet50/{scenario}/performance/run_1/mlperf_log_summary.txt"
        written(tmp_path, place, text)

    run("a", "Offline", "Samples per second: 200.5", "Result is : VALID")
    run("a", "SingleStream", "Mean latency (ns)              : 5000000", "Result is : VALID")
    run("b", "Offline", "Samples per second: 1", "Result is : INVALID")
    power = tmp_path / "results/a/resnet50/Offline/performance/run_1/spl.txt"
    power.write_text("Time,1,Watts,300.0,Volts,1\nTime,2,Watts,310.0,Volts,1\n")
    rows = {row.label: row for row in read_measurements([tmp_path / "results"])}
    assert rows["Offline"].time_s == pytest.approx(1 / 200.5)
    assert rows["Offline"].power_w == 305
    assert rows["SingleStream"].time_s == pytest.approx(0.005)
    with pytest.raises(InputError, match="Valid performance runs"):
        read_measurements([tmp_path / "results" / "b"])


def test_options_of_a_table_are_an_instance_that_is_solved(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.csv",
        "device,kind,task,precision,time_ms,energy_mj,idle_power_w\n"
        "npu,npu,detect,int8,4,9,0.5\ncpu,cpu,detect,fp32,40,300,2\ncpu,cpu,track,fp32,5,20,2\n",
    )
    made = tmp_path / "a.yaml"
    done = command_line.hetopt("profile", path, "--as", "options", "-o", made)
    assert done.returncode == 0
    assert "3 of 3 options of 2 tasks on 2 devices" in done.stdout
    solution = solve(read_instance(made))
    assert solution.status == "optimal"
    assert solution.to_frame()["device"].tolist() == ["npu", "cpu"]
    shown = command_line.hetopt("profile", path, "--as", "options", "--json")
    assert json.loads(shown.stdout)["hetopt"] == 1


@pytest.mark.parametrize(
    ("name", "options", "tasks"),
    [("aihub_perf.csv", 6808, 185), ("corun_openvino.csv", 1390, 11)],
)
def test_published_tables_are_read_whole(name: str, options: int, tasks: int, shared_path) -> None:
    rows = read_measurements([shared_path("data", name)])
    assert len(rows) == options
    assert len({row.task for row in rows}) == tasks


def test_flags_of_the_other_kind_of_file_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "device,task,time\nnpu,a,1\n")
    for flags in (
        ["--shape", "batch=1"],
        ["--segments", "3"],
        ["--on", "onnxruntime:cpu"],
        ["--period", "1 s"],
        ["--as", "words"],
        ["--from", "x"],
    ):
        assert command_line.hetopt("profile", path, *flags).returncode == 2


def test_a_point_that_may_part_thousands_is_refused_beside_decimal_commas(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "device;model;latency [ms]\nnpu;a;4,5\ncpu;a;1.045\n")
    with pytest.raises(InputError, match=r"a\.csv:3, .*1\.045.* write 1045 or 1,045, whichever"):
        read_measurements([path])


def test_every_field_is_known_by_the_name_that_the_docs_give_it(tmp_path: Path) -> None:
    """``idle_power`` and ``power_limit`` as they stand, with blanks, and with a unit."""
    for idle, limit in (
        ("idle_power", "power_limit"),
        ("idle power [W]", "power limit"),
        ("Idle_Power_W", "Power_Limit"),
    ):
        text = f"device,task,time_ms,power_w,{idle},{limit}\nnpu,a,5,20,9,60\n"
        (row,) = read_measurements([written(tmp_path, "a.csv", text)])
        assert (row.power_w, row.idle_power_w) == (20.0, 9.0)
        assert row.label == "power limit 60"


def test_what_of_a_table_is_left_out_is_told(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.csv", "device,task,time,mood,energy [m]\nnpu,a,1,good,2\nnpu,a,,,\n"
    )
    notes: list[str] = []
    assert len(read_measurements([path], notes=notes)) == 1
    assert notes == [
        f"{path}: no time in line 3: left out.",
        f"{path}: columns that say nothing here: mood, energy [m] (m is no unit of energy).",
    ]
    shown = command_line.hetopt("profile", path)
    assert all(f"note: {note}" in shown.stderr for note in notes)


def test_further_sheets_of_a_workbook_are_told(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["device", "time [ms]"])
    book.active.append(["npu", 3])
    book.create_sheet("other").append(["more"])
    book.create_sheet("blank")
    book.save(tmp_path / "a.xlsx")
    notes: list[str] = []
    assert len(read_measurements([tmp_path / "a.xlsx"], notes=notes)) == 1
    assert notes == [f"{tmp_path / 'a.xlsx'}: only the active sheet is read, not other."]


def test_a_folder_that_is_no_result_is_told_what_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "dir.onnx").mkdir()
    done = command_line.hetopt("profile", tmp_path / "dir.onnx")
    assert done.returncode == 2
    assert "A model file (.onnx), a table, or a folder of MLPerf results" in done.stderr


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (["4.5", "1.045"], 1.045),  # points are decimal here
        (["4,5", "1,045"], 1.045),  # and commas here
        (["1.234,5", "14.500"], 14500),  # a point parts thousands, which another number shows
        (["1,234.5", "14,500"], 14500),
        (["1.234.567", "14.500"], 14500),
        (["7", "14,500"], 14.5),  # no other number tells: a table with semicolons
    ],
)
def test_numbers_with_one_reading_are_read(cells, value, tmp_path: Path) -> None:
    rows = "".join(f"npu;a{k};{cell}\n" for k, cell in enumerate(cells))
    path = written(tmp_path, "a.csv", f"device;model;latency [s]\n{rows}")
    assert read_measurements([path])[-1].time_s == pytest.approx(value)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["4,5", "1.045"], "1045 or 1,045"),
        (["4.5", "14,500"], "14500 or 14.5"),
        (["2,600", "14.500"], "2600 or 2.6"),
    ],
)
def test_numbers_with_two_readings_are_told_with_both(cells, told, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the excel extra")
    rows = [["npu", f"a{k}", cell] for k, cell in enumerate(cells)]
    head = ["device", "model", "latency [s]"]
    tables = {
        "a.csv": "".join(";".join(row) + "\n" for row in [head, *rows]),
        "b.csv": "".join(f'{row[0]},{row[1]},"{row[2]}"\n' for row in [head, *rows]),
    }
    paths = [written(tmp_path, name, text) for name, text in tables.items()]
    book = openpyxl.Workbook()
    for row in [head, *rows]:
        book.active.append(row)
    book.save(tmp_path / "c.xlsx")
    for path in (*paths, tmp_path / "c.xlsx"):
        with pytest.raises(InputError, match=f"write {re.escape(told)}, whichever"):
            read_measurements([path])


def test_cells_of_a_spreadsheet_that_are_numbers_have_one_reading(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the excel extra")
    book = openpyxl.Workbook()
    for row in (["device", "model", "latency [s]"], ["npu", "a", "4,5"], ["cpu", "a", 14.125]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert [row.time_s for row in read_measurements([tmp_path / "a.xlsx"])] == [4.5, 14.125]
