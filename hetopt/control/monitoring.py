"""Alerts as a rules file of Prometheus, and a dashboard of Grafana, over the metrics."""

from __future__ import annotations

from typing import Any

ALERTS = (
    (
        "HetoptDeadlineMisses",
        (
            "sum by (job) (rate(hetopt_deadline_misses_total[5m])) "
            "> 0.01 * sum by (job) (rate(hetopt_requests_served_total[5m]))"
        ),
        "5m",
        "More than 1 % of the requests of {{ $labels.job }} take longer than their limit.",
    ),
    (
        "HetoptPowerAboveCap",
        "hw_power_watts > on () hetopt_power_cap_watts",
        "1m",
        "The fleet draws more than its cap.",
    ),
    (
        "HetoptUnitDown",
        'sum by (device) (hetopt_units{status="down"}) > 0',
        "1m",
        "Units of {{ $labels.device }} are down.",
    ),
    (
        "HetoptSlowDevice",
        "hetopt_time_ratio > 1.2",
        "5m",
        "{{ $labels.device }} takes more than 1.2 times as long as was planned.",
    ),
    (
        "HetoptEnergyAbovePlan",
        (
            "rate(hw_energy_joules_total[15m]) > 0 and on () hw_power_watts > "
            "1.3 * hetopt_planned_power_watts"
        ),
        "15m",
        "Power is more than 1.3 times that of the plan.",
    ),
    (
        "HetoptManyPlans",
        "sum(increase(hetopt_plans_total[1h])) > 30",
        "5m",
        "Plans are made anew more often than every two minutes.",
    ),
    (
        "HetoptDown",
        'up{job="hetopt"} == 0',
        "1m",
        "The controller cannot be reached.",
    ),
)
PANELS = (
    (
        "Power against cap",
        "watt",
        ("hw_power_watts", "hetopt_power_cap_watts", "hetopt_planned_power_watts"),
    ),
    (
        "Latency, p99",
        "s",
        (
            (
                "histogram_quantile(0.99, sum by (job, le) "
                "(rate(hetopt_request_latency_seconds_bucket[5m])))"
            ),
        ),
    ),
    (
        "Requests a second",
        "reqps",
        ("sum by (job) (rate(hetopt_requests_arrived_total[1m]))", "hetopt_rate_hertz"),
    ),
    (
        "Misses",
        "percentunit",
        (
            (
                "sum by (job) (rate(hetopt_deadline_misses_total[5m])) / "
                "sum by (job) (rate(hetopt_requests_served_total[5m]))"
            ),
        ),
    ),
    ("Units on", "none", ('hetopt_units{status="on"}',)),
    (
        "Time against plan",
        "none",
        ("rate(hetopt_busy_seconds_total[5m]) / rate(hetopt_planned_busy_seconds_total[5m])",),
    ),
    ("Energy", "watt", ("rate(hw_energy_joules_total[5m])",)),
    ("Plans made anew", "none", ("sum by (reason) (increase(hetopt_plans_total[1h]))",)),
)


def alert_rules() -> dict[str, Any]:
    """Return the rules file."""
    return {
        "groups": [
            {
                "name": "hetopt",
                "rules": [
                    {
                        "alert": name,
                        "expr": expression,
                        "for": span,
                        "labels": {"severity": "warning"},
                        "annotations": {"summary": text},
                    }
                    for name, expression, span, text in ALERTS
                ],
            }
        ]
    }


def dashboard() -> dict[str, Any]:
    """Return the dashboard; Grafana asks for the data source when it is imported."""
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    panels = []
    for i, (title, unit, expressions) in enumerate(PANELS):
        panels.append(
            {
                "id": i + 1,
                "title": title,
                "type": "timeseries",
                "datasource": source,
                "gridPos": {"h": 8, "w": 12, "x": 12 * (i % 2), "y": 8 * (i // 2)},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "targets": [
                    {"refId": chr(65 + k), "expr": expression, "datasource": source}
                    for k, expression in enumerate(expressions)
                ],
            }
        )
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "type": "datasource",
                "pluginId": "prometheus",
            }
        ],
        "title": "hetopt",
        "uid": "hetopt",
        "schemaVersion": 39,
        "tags": ["hetopt"],
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "10s",
        "panels": panels,
    }
