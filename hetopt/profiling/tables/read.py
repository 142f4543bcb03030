"""One reader of measurements: the form of a file is told by its name and content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hetopt.errors import InputError, Problem
from hetopt.profiling.tables import aibrix, logs, plain, published
from hetopt.profiling.tables.logs import LogTask
from hetopt.profiling.tables.measurement import Measurement
from hetopt.profiling.tables.sheet import Sheet, read_sheet

FORMS = (
    *("measurements", "aihub", "openvino", "aiconfigurator", "aibrix", "mlperf"),
    *("onnxruntime", "nvidia-smi", "tegrastats", "perf"),
)
"""Names that ``--from`` takes for tables of measurements."""


def read_measurements(
    paths: Sequence[str | Path],
    *,
    form: str = "",
    columns: Mapping[str, str] | None = None,
    ran: LogTask | None = None,
    notes: list[str] | None = None,
) -> list[Measurement]:
    """Read measured executions from files of any known form.

    Parameters
    ----------
    paths
        Files, or folders of MLPerf results.
    form
        One of :data:`FORMS`; default: told by name and content, each file by itself.
    columns
        Fields by heading, for plain tables.
    ran
        What ran while a power log was written.
    notes
        Gets sentences about what of plain tables is left out.

    Raises
    ------
    InputError
        If a file cannot be read, its form is not known, or a cell is wrong.
    """
    if form and form not in FORMS:
        raise InputError([Problem("--from", form, f"One of {', '.join(FORMS)}.")])
    rows: list[Measurement] = []
    for path in paths:
        rows += _read(Path(path), form, columns or {}, ran or LogTask(""), notes)
    return rows


def _read(
    path: Path, form: str, columns: Mapping[str, str], ran: LogTask, notes: list[str] | None
) -> list[Measurement]:
    if not path.exists():
        raise InputError([Problem(str(path), "", "A file or a folder that exists.")])
    if path.is_dir() or form == "mlperf":
        if form != "mlperf" and not any(path.rglob(logs.SUMMARY)):
            expected = (
                "A model file (.onnx), a table, or a folder of MLPerf results "
                f"(SYSTEM/BENCHMARK/SCENARIO/performance/run_1/{logs.SUMMARY}): a folder with none."
            )
            raise InputError([Problem(str(path), "", expected)])
        return logs.mlperf_results(path)
    form = form or _text_form(path)
    if form == "aibrix":
        return aibrix.aibrix_profile(path)
    if form == "onnxruntime":
        return logs.onnxruntime_profile(path, ran.task, ran.device)
    if form == "tegrastats":
        return logs.tegrastats_log(path, ran)
    if form == "perf":
        return logs.perf_log(path, ran)
    if form == "aihub" and path.suffix.lower() in (".yaml", ".yml"):
        return published.aihub_document(path)
    sheet = read_sheet(path)
    form = form or ("measurements" if columns else _sheet_form(sheet))
    if form == "measurements":
        return plain.measurements(sheet, columns, notes)
    if columns:
        text = f"No --columns beside a table of form {form}, whose columns are known."
        raise InputError([Problem("--columns", ", ".join(columns), text)])
    if form == "nvidia-smi":
        return logs.nvidia_smi_log(sheet, ran)
    _has_columns(sheet, form)
    return READERS[form](sheet)


READERS = {
    "aihub": published.aihub_sheet,
    "openvino": published.openvino_sheet,
    "aiconfigurator": published.aiconfigurator_sheet,
}
COLUMNS = {
    "aihub": (published.AIHUB_COLUMNS,),
    "openvino": (published.OPENVINO_COLUMNS, published.OPENVINO_TIDY),
    "aiconfigurator": (published.AICONFIGURATOR_COLUMNS, published.AICONFIGURATOR_SPLIT),
}
"""Columns that tell a form, and that it needs."""


def _text_form(path: Path) -> str:
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return ""
    if published.is_aihub_document(path):
        return "aihub"
    if aibrix.is_aibrix(path):
        return "aibrix"
    if logs.is_onnxruntime_profile(path):
        return "onnxruntime"
    if logs.is_tegrastats(path):
        return "tegrastats"
    return "perf" if logs.is_perf(path) else ""


def _sheet_form(sheet: Sheet) -> str:
    if logs.is_nvidia_smi(sheet):
        return "nvidia-smi"
    present = {*sheet.columns}
    for form, sets in COLUMNS.items():
        if any({*columns} <= present for columns in sets):
            return form
    return "measurements"


def _has_columns(sheet: Sheet, form: str) -> None:
    missing = [[name for name in columns if name not in sheet.columns] for columns in COLUMNS[form]]
    if all(missing):
        fewest = min(missing, key=len)
        text = f"Columns {', '.join(fewest)} of form {form}."
        raise InputError([Problem(sheet.name, ", ".join(sheet.columns)[:80], text)])
