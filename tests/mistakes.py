"""Natural mistakes of four users, 50 each, and what the answer must name.

A mistake changes one piece of a right file: (what stands there, what somebody writes, words that
the answer must hold). The words are the mistake itself or its place, and the remedy.
"""

from __future__ import annotations

Mistake = tuple[str, str, tuple[str, ...]]

EDGE = """\
hetopt: 1
name: box
objective: energy
horizon: 33.3 ms
power_cap: 20 W
devices:
  - {name: cpu, kind: cpu, slots: 4, idle_power: 4 W, memory: 4 GB}
  - {name: npu, kind: npu, count: 2, idle_power: 0.5 W, memory: 1 GiB}
links:
  - {from: cpu, to: npu, bandwidth: 4 GB/s, latency: 20 us,
     energy_per_byte: 60 pJ/bit, both_ways: true}
profiles:
  detect:
    - {device: cpu, precision: fp32, time: 25 ms, power: 9 W, memory: 30 MB}
    - {device: npu, precision: int8, time: 6 ms, energy: 8 mJ, weights: 40 MiB, accuracy: 0.76}
jobs:
  - name: frame
    deadline: 33 ms
    release: 1 ms
    tasks:
      - {name: grab, options: [{device: cpu, time: 2 ms, power: 5 W}]}
      - {name: detect, profile: detect}
    transfers:
      - {from: grab, to: detect, bytes: 602 kB}
"""
EDGE_MISTAKES: list[Mistake] = [
    # units
    ("time: 25 ms", "time: 25", ("time: 25 counts as 25 s", "Write the unit")),
    ("deadline: 33 ms", "deadline: 33", ("deadline: 33 counts as 33 s",)),
    ("horizon: 33.3 ms", "horizon: 0.0333", ("horizon: 0.0333 counts as",)),
    ("weights: 40 MiB", "weights: 40", ("weights: 40 counts as 40 B",)),
    ("power: 9 W", "power: 9 mWh", ("9 mWh", "unit of energy")),
    ("energy: 8 mJ", "energy: 8 mW", ("8 mW", "unit of power")),
    ("energy: 8 mJ", "energy: 8 mJ/frame", ("8 mJ/frame", "Write 8 mJ")),
    ("time: 6 ms", "time: 6 MS", ("6 MS", "Did you mean ms")),
    ("time: 6 ms", "time: 6,2 ms", ("6,2 ms", "time: 6.2 ms")),
    ("time: 6 ms", "time: ~6 ms", ("~6 ms", "number alone")),
    ("time: 6 ms", "time: 5-7 ms", ("5-7 ms", "one number")),
    ("time: 6 ms", "time: 160 fps", ("160 fps", "6.25 ms")),
    ("time: 6 ms", "time: ms 6", ("ms 6", "number first")),
    ("time: 6 ms", "time: 6 m", ("6 m", "ms for milliseconds")),
    ("time: 6 ms", "time: six ms", ("six ms", "A time")),
    ("memory: 4 GB", "memory: 4 Gb", ("4 Gb", "GB for bytes or Gbit for bits")),
    ("memory: 4 GB", "memory: 4 G", ("4 G", "4 GiB", "4 GB")),
    ("memory: 4 GB", "memory: 4096 KB", ("4096 KB", "KiB for 1024")),
    ("memory: 4 GB", "memory: 4 GB RAM", ("4 GB RAM", "without RAM")),
    ("memory: 4 GB", "memory: 4 GB/s", ("4 GB/s", "unit of bandwidth")),
    ("bandwidth: 4 GB/s", "bandwidth: 4 GB", ("4 GB", "GB/s")),
    ("bandwidth: 4 GB/s", "bandwidth: 32 Gb/s", ("32 Gb/s", "Gbit/s")),
    ("energy_per_byte: 60 pJ/bit", "energy_per_byte: 60 pJ/b", ("60 pJ/b", "pJ/bit")),
    ("power_cap: 20 W", "power_cap: 20 Mw", ("20 Mw", "mW or MW")),
    ("idle_power: 4 W", "idle_power: 4 Wh/h", ("4 Wh/h", "A power")),
    ("accuracy: 0.76", "accuracy: 76", ("76", "76 % or 0.76")),
    ("power_cap: 20 W", "power_cap: -20 W", ("-20 W", "at least 0")),
    # names
    ("idle_power: 4 W", "power: 4 W", ("power", "idle_power")),
    ("idle_power: 4 W", "tdp: 4 W", ("tdp", "idle_power")),
    ("idle_power: 4 W", "idle_w: 4", ("idle_w", "idle_power: 3 W")),
    ("memory: 4 GB", "ram: 4 GB", ("ram", "memory")),
    ("kind: cpu", "type: cpu", ("type", "kind")),
    ("kind: npu", "kind: tensor", ("tensor", "npu")),
    ("count: 2", "quantity: 2", ("quantity", "count")),
    ("slots: 4", "cores: 4", ("cores", "slots")),
    ("time: 25 ms", "latency_ms: 25", ("latency_ms", "latency")),
    ("time: 25 ms", "runtime: 25 ms", ("runtime", "time")),
    ("time: 25 ms", "throughput: 40", ("throughput", "inverse")),
    ("time: 25 ms", "fps: 40", ("fps", "time: 5 ms")),
    ("precision: fp32", "dtype: fp32", ("dtype", "precision")),
    ("weights: 40 MiB", "model_size: 40 MiB", ("model_size", "weights")),
    ("bytes: 602 kB", "size: 602 kB", ("size", "bytes")),
    ("from: grab", "src: grab", ("src", "from")),
    ("deadline: 33 ms", "deadline_ms: 33", ("deadline_ms", "deadline: 3 ms")),
    ("release: 1 ms", "arrival: 1 ms", ("arrival", "release")),
    ("device: npu, precision", "device: nqu, precision", ("nqu", "npu")),
    ("profile: detect}", "profile: detekt}", ("detekt", "detect")),
    ("to: detect", "to: act", ("act", "A task")),
    ("objective: energy", "objective: latency", ("latency", "makespan")),
    ("    transfers:\n", "    depends_on:\n", ("depends_on", "transfers")),
]

SERVING = """\
hetopt: 1
name: rack
regime: steady
objective: power
power_cap: 20 kW
energy_price: 0.25 EUR/kWh
carbon_intensity: 380 g/kWh
devices:
  - {name: l4, kind: gpu, count: 8, memory: 24 GB, idle_power: 60 W,
     max_utilization: 0.8, price: 0.7 EUR/h}
  - {name: h100, kind: gpu, count: {min: 0, max: 4}, memory: 80 GB, idle_power: 180 W,
     price: 4.2 EUR/h}
profiles:
  chat:
    - {device: l4, label: int8-b8, batch: 8, time: 13 s, latency: 14 s, power: 130 W, weights: 9 GB}
    - {device: h100, label: fp8-b64, batch: 64, time: 6.5 s, latency: 7 s, power: 690 W,
       weights: 9 GB}
  vision:
    - {device: l4, label: int8, batch: 8, time: 9 ms, latency: 18 ms, power: 110 W, memory: 1 GB}
jobs:
  - {name: chat, profile: chat, rate: 8 req/s, latency_slo: 15 s}
  - {name: vision, profile: vision, rate: 4200 /min, latency_slo: 50 ms}
scenarios:
  - {name: night, weight: 8, demand: 0.2}
  - {name: day, weight: 16, rates: {chat: 10 /s}}
"""
SERVING_MISTAKES: list[Mistake] = [
    ("rate: 8 req/s", "rate: 480 rpm", ("480 rpm", "480 req/min")),
    ("rate: 8 req/s", "rate: 8 ms", ("8 ms", "125 /s")),
    ("rate: 8 req/s", "rate: 8k", ("8k", "8000")),
    ("rate: 8 req/s", "rate: 8 widgets/s", ("widgets/s", "/s")),
    ("rate: 8 req/s", "rate: 1,5 req/s", ("1,5 req/s", "1.5 req/s")),
    ("rate: 8 req/s", "rate: 8", ("rate: 8 counts as 8 /s",)),
    ("rate: 8 req/s", "rate: 0 req/s", ("rate", "0 req/s", "more than 0")),
    ("rate: 8 req/s", "rate: 2 s/req", ("2 s/req", "0.5 /s")),
    ("latency_slo: 15 s", "latency_slo: 15", ("latency_slo: 15 counts as 15 s",)),
    ("latency_slo: 15 s", "latency_slo: 15 Hz", ("15 Hz", "66.67 ms")),
    ("time: 9 ms", "time: 9 ms per batch of 8", ("9 ms per batch", "alone")),
    ("time: 9 ms", "time: 9", ("time: 9 counts as 9 s",)),
    ("time: 9 ms", "time: 0.009 seconds ago", ("seconds ago", "Write 0.009 seconds")),
    ("power: 130 W", "power: 130 kwh", ("130 kwh", "kWh")),
    ("power: 130 W", "power: 0.13", ("0.13", "idle")),
    ("power: 130 W", "power: 50 W", ("50", "idle power")),
    ("memory: 24 GB", "memory: 24", ("memory: 24 counts as 24 B",)),
    ("memory: 24 GB", "memory: 24 GBytes", ("24 GBytes", "data")),
    ("memory: 24 GB", "memory: 24 gb", ("24 gb", "GB")),
    ("max_utilization: 0.8", "max_utilization: 80", ("80", "80 % or 0.8")),
    ("max_utilization: 0.8", "max_utilization: 1.2", ("1.2", "at most 1")),
    ("max_utilization: 0.8", "utilization: 80 %", ("utilization", "max_utilization")),
    ("price: 0.7 EUR/h", "price: 0.7 EUR", ("0.7 EUR", "EUR/h")),
    ("price: 0.7 EUR/h", "price: 0.7 USD/h", ("One currency", "USD")),
    ("price: 0.7 EUR/h", "price: 0.7", ("price: 0.7 counts as 0.7 per second",)),
    ("price: 0.7 EUR/h", "cost_per_hour: 0.7", ("cost_per_hour", "price")),
    ("energy_price: 0.25 EUR/kWh", "energy_price: 0.25 EUR", ("0.25 EUR", "EUR/kWh")),
    ("energy_price: 0.25 EUR/kWh", "electricity_price: 0.25 EUR/kWh", ("energy_price",)),
    ("carbon_intensity: 380 g/kWh", "carbon_intensity: 380 g", ("380 g", "g/kWh")),
    ("carbon_intensity: 380 g/kWh", "co2: 380 g/kWh", ("co2", "carbon_intensity")),
    ("power_cap: 20 kW", "power_budget: 20 kW", ("power_budget", "power_cap")),
    ("power_cap: 20 kW", "power_cap: 20 KW", ("20 KW", "kW")),
    ("power_cap: 20 kW", "power_cap: 20 000 W", ("20 000 W", "20000 W")),
    ("latency_slo: 15 s", "deadline: 15 s", ("schedule", "latency_slo")),
    ("latency_slo: 15 s", "slo: 15 s", ("slo", "latency_slo")),
    ("latency_slo: 15 s", "p99: 15 s", ("p99", "latency_slo")),
    ("rate: 8 req/s", "qps: 8", ("qps", "rate")),
    ("rate: 8 req/s", "period: 125 ms", ("period", "rate: 30 /s for a period")),
    ("batch: 8, time: 13 s", "batch_size: 8, time: 13 s", ("batch_size", "batch")),
    ("batch: 8, time: 13 s", "batch: 8.5, time: 13 s", ("8.5", "whole number")),
    ("time: 13 s", "tokens_per_second: 50", ("tokens_per_second", "time")),
    ("objective: power", "objective: energy", ("energy", "power")),
    ("objective: power", "objective: qps", ("qps", "throughput")),
    ("regime: steady", "regime: stream", ("stream", "steady")),
    ("regime: steady", "mode: steady", ("mode", "regime")),
    ("count: 8", "replicas: 8", ("replicas", "count")),
    ("count: {min: 0, max: 4}", "count: 0-4", ("0-4", "whole number")),
    ("profile: vision,", "profile: visoin,", ("visoin", "vision")),
    ("rates: {chat: 10 /s}", "rates: {chatt: 10 /s}", ("chatt", "chat")),
    ("horizon", "horizon", ()),
]
SERVING_MISTAKES[-1] = ("power_cap: 20 kW", "horizon: 1 h", ("horizon", "leave it out"))

CAPACITY = {
    "devices": "name,kind,price,lifetime,idle_power,count_min,count_max\n"
    "l4,gpu,28000 EUR,4 years,320 W,0,50\na100,gpu,160000 EUR,4 years,1.2 kW,0,20\n",
    "jobs": "name,rate,latency_slo\nchat,60,2 s\nvision,20000,1 s\n",
    "options": "profile,device,label,time,power,batch\n"
    "chat,l4,int8,1.1 s,800 W,8\nchat,a100,fp16,120 ms,3.2 kW,8\nvision,l4,int8,2 ms,700 W,1\n",
    "tasks": "name,profile,job\nchat,chat,chat\nvision,vision,vision\n",
    "scenarios": "name,weight,demand\n2026,1,1\n2027,1,1.6\n",
    "instance": "hetopt: 1\nregime: steady\nobjective: cost\nenergy_price: 0.22 EUR/kWh\n"
    "carbon_intensity: 380 g/kWh\npue: 1.35\n",
}
"""A folder of tables; mistakes name the file before what stands in it."""
CAPACITY_MISTAKES: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("devices", "28000 EUR", "28.000,50 EUR", ("8 cells", "7 cells")),
    ("devices", "28000 EUR", "28k EUR", ("28k EUR", "28000")),
    ("devices", "28000 EUR", "EUR 28000", ("EUR 28000", "number first")),
    ("devices", "28000 EUR", "28000 EUR/h/unit", ("28000 EUR/h/unit", "money")),
    ("devices", "28000 EUR", "28000 USD", ("One currency", "USD")),
    ("devices", "28000 EUR", "about 28000 EUR", ("about 28000 EUR", "money")),
    ("devices", "28000 EUR", "-28000 EUR", ("-28000 EUR", "at least 0")),
    ("devices", "4 years", "4 EUR", ("4 EUR", "unit of money")),
    ("devices", "4 years", "4 yaers", ("4 yaers", "years")),
    ("devices", "4 years,320", "4,320", ("counts as 4 s", "years")),
    ("devices", "4 years", "0 years", ("0 years", "more than 0")),
    ("devices", "320 W", "320 w", ("320 w", "W")),
    ("devices", "320 W", "320 Watt hours", ("320 Watt hours", "without hours")),
    ("devices", "320 W", "0.32", ("counts as 0.32 W", "1.2 kW")),
    ("devices", "320 W", "n/a", ("n/a", "A power")),
    ("devices", "0,50", "0,fifty", ("fifty", "whole number")),
    ("devices", "0,50", "5,2", ("count", "2")),
    ("devices", "0,50", "0,-5", ("-5", "at least -1")),
    ("devices", "0,50", "0,50,extra", ("8 cells", "7 cells")),
    ("devices", "kind", "type", ("type", "kind")),
    ("devices", "price", "capex", ("capex", "price")),
    ("devices", "lifetime", "depreciation", ("depreciation", "lifetime")),
    ("devices", "idle_power", "tdp", ("tdp", "idle_power")),
    ("devices", "idle_power", "idle_power_kw", ("idle_power_kw", "kW")),
    ("devices", "count_max", "max_count", ("max_count", "count")),
    ("devices", "l4,gpu", "l4,GPU card", ("GPU card", "gpu")),
    ("devices", "a100,gpu", "l4,gpu", ("l4", "no other row")),
    ("devices", "name,kind", "name;kind", ("name;kind", "one separator")),
    ("devices", "name,kind", "name,name", ("name", "once")),
    ("jobs", "rate", "qps", ("qps", "rate")),
    ("jobs", "rate", "requests_per_second", ("requests_per_second", "rate")),
    ("jobs", "60,2 s", "60/hour,2 s", ("rate: 20000 counts as 20000 /s",)),
    ("jobs", "60,2 s", "60 rpm,2 s", ("60 rpm", "60 req/min")),
    ("jobs", "60,2 s", "60,2", ("counts as 2 s",)),
    ("jobs", "60,2 s", "sixty,2 s", ("sixty", "A rate")),
    ("jobs", "latency_slo", "sla", ("sla", "latency_slo")),
    ("jobs", "chat,60", "caht,60", ("chat", "caht")),
    ("options", "1.1 s", "1,1 s", ("7 cells", "semicolons")),
    ("options", "1.1 s", "1.1 req/s", ("1.1 req/s", "909.1 ms")),
    ("options", "120 ms", "0.12", ("counts as 0.12 s",)),
    ("options", "800 W", "100 W", ("100", "idle power")),
    ("options", "800 W", "0.8 kWh", ("0.8 kWh", "unit of energy")),
    ("options", "chat,l4", "chat,L40", ("L40", "l4")),
    ("options", "power", "watts", ("watts", "power")),
    ("options", "time", "latency_ms", ("latency_ms", "latency")),
    ("tasks", "vision,vision,vision", "vision,visoin,vision", ("visoin", "vision")),
    ("scenarios", "2027,1,1.6", "2027,1,+60%", ("+60%", "number")),
    ("instance", "objective: cost", "objective: tco", ("tco", "cost")),
    ("instance", "energy_price: 0.22 EUR/kWh", "energy_price: 22 ct", ("22 ct", "ct/kWh")),
    ("instance", "pue: 1.35", "pue: 0.9", ("0.9", "at least 1")),
]

RESEARCH: list[tuple[str, str, tuple[str, ...]]] = [
    # files of others: name, content, what the answer must hold
    ("mk.fjs", "2 3\n2 2 1 5 2 4 1 1 3\n", ("1", "2 lines of jobs")),
    ("mk.fjs", "2 3\n2 2 1 5 2 4 1 1 3\n1 3 1 1 2 2\n", ("3", "3 pairs of machine and time")),
    ("mk.fjs", "1 3\n2 2 1 5 2 4 1 1 3\n1 1 1 5\n", ("more line", "as its first line says")),
    ("mk.fjs", "1 2\n1 1 3 5\n", ("3", "One of 2 machines")),
    ("mk.fjs", "1 2\n1 2 1 5 1 4\n", ("1", "Each machine once")),
    ("mk.fjs", "1 2\n1 1 1 -5\n", ("-5", "at least 0")),
    ("mk.fjs", "1 2\n1 1 1 five\n", ("five", "A number")),
    ("mk.fjs", "one two\n1 1 1 5\n", ("one", "A number")),
    ("mk.fjs", "2\n1 1 1 5\n", ("1 number", "number of machines")),
    ("mk.fjs", "1 2\n1 0\n", ("0", "at least 1")),
    ("mk.fjs", "1 2.5\n1 1 1 5\n", ("2.5", "whole number")),
    ("mk.fjs", "2 2\n1 2 0 5 1 4\n1 1 2 3\n", ("machine 0", "counts its 2 machines from 0")),
    ("ft.jsp", "2 2\n0 1 1\n1 2 0 1\n", ("3 numbers", "Pairs of machine and time")),
    ("ft.jsp", "2 2\n0 1 1 2\n", ("1", "2 lines of jobs")),
    ("ft.jsp", "1 2\n0 1 5 2\n", ("5", "One of 2 machines")),
    ("ft.jsp", "1 2\n0 -1 1 2\n", ("-1", "at least 0")),
    ("p.rcp", "3 1\n4\n0 0 1 2\n2 1 1 7\n0 0 0\n", ("7", "from 1 to 3")),
    ("p.rcp", "3 1\n4\n0 0 1 2\n2 1 1 3\n0 0\n", ("end of the file", "successors")),
    ("p.rcp", "2 1\n4\n-1 0 1 2\n0 0 0\n", ("-1", "duration of activity 1")),
    ("p.mm", "projects: 1\njobs: 2\n", ("renewable", "number")),
    ("p.sm", "hello\n", ("jobs", "number")),
    ("g.gap", "2 2\n1 2\n3 4\n5 6\n7 8\n9\n", ("g.gap", "capacit")),
    ("g.gap", "2 2\n1 2\n3 x\n5 6\n7 8\n9 9\n", ("x", "number")),
    ("r.rcmax", "2 2\n1 2\n3\n", ("1 number", "2 numbers")),
    ("r.rcmax", "2 2\n1 2\n3 -4\n", ("-4", "at least 0")),
    ("table.txt", "2 2\n1 2\n3 4\n", ("rcmax, flow-shop", "--from FORMAT")),
    ("s.stg", "1\n0 0 0\n1 5 1 9\n2 0 1 1\n", ("9", "s.stg")),
    ("s.stg", "1\n0 0 0\n1 5 1\n2 0 1 1\n", ("s.stg:3", "predecessor")),
    ("d.dag", "#tasks\n0: 3, 4\n1: 5\n#edges\n0: 0, 1, 7\n", ("d.dag:3", "2")),
    ("d.dag", "#tasks\n0: 3, 4\n1: 5, 6\n#edges\n0: 0, 9, 7\n", ("9", "Tasks 0 to 1")),
    ("s.json", '{"task_graph": {"tasks": []}}', ("network", "{...}")),
    (
        "s.json",
        (
            '{"task_graph": {"tasks": [{"name": "a"}], "dependencies": []}, '
            '"network": {"nodes": [{"name": "n", "speed": 1}], "edges": []}}'
        ),
        ("cost", "number"),
    ),
    ("w.json", '{"workflow": {"specification": {"tasks": []}}, "schemaVersion": "1.5"}', ("list",)),
    ("j.json", '{"machines_matrix": [[0]], "duration_matrix": [[1, 2]]}', ("2 operations", "1")),
    ("j.json", '{"jobs": [{"operations": [{"machine": 0}]}]}', ("A number", "operations[0]")),
    ("j.json", '{"jobs": [{"operations": [{"duration": 3}]}]}', ("A machine", "operations[0]")),
    ("x.json", '{"a": 1', ("JSON is expected", "x.json:1")),
    ("x.json", "{'a': 1}", ("JSON is expected", "double quotes")),
    ("x.json", '{"a": NaN, "hetopt": 1}', ("NaN", "finite")),
    ("x.json", '{"hetopt": 1, "hetopt": 1}', ("hetopt", "once")),
    ("x.yaml", "devices: [\n", ("x.yaml", "YAML")),
    ("x.yaml", "hetopt: 2\n", ("2", "1 is the version")),
    ("x.yaml", "devices:\n  - {name: a}\n", ("version", "hetopt: 1")),
    ("x.yaml", "hetopt: 1\nmachines: []\n", ("machines", "devices")),
    ("x.yaml", "hetopt: 1\ndevices:\n\t- {name: a}\n", ("x.yaml:3", "blanks")),
    ("x.txt", "", ("empty", "instance")),
    ("x.txt", "3 4 5\n1 x\n", ("fajsp", "--from FORMAT")),
    ("x.txt", "hello world\n", ("mrcpsp", "--from FORMAT")),
    ("x.data", "1 2 3 4 5 6 7\n", ("extension", "--from FORMAT")),
    ("x.xyz", '{"nodes": [], "edges": []}', ("saga", "--from FORMAT")),
]
