"""docs/monitoring: the alert rules as Prometheus evaluates them, and the dashboard."""

import json
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MONITORING = ROOT / "docs" / "monitoring"
METRICS = ROOT / "Sources" / "HoldfastReport" / "PrometheusText.swift"


def promtool(*arguments):
    program = ROOT / ".build" / "engines" / "bin" / "promtool"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def metrics_of_holdfast():
    """The metrics that `holdfast status --prometheus` writes."""
    names = re.findall(r'(?:add|each|family)\(\s*"([a-z_]+)"', METRICS.read_text())
    return {f"holdfast_{name}" for name in names}


def metrics_in(expressions):
    return set(re.findall(r"holdfast_[a-z_]+", " ".join(expressions)))


class RuleTests(unittest.TestCase):
    def test_rules_are_valid(self):
        result = promtool("check", "rules", MONITORING / "holdfast.rules.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_each_alert_is_silent_on_a_good_day_and_fires_on_a_bad_one(self):
        tests = MONITORING / "holdfast.rules.test.yml"
        result = promtool("test", "rules", tests)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        alerts = re.findall(r"- alert: (\w+)", (MONITORING / "holdfast.rules.yml").read_text())
        fired = re.findall(r"- alertname: (\w+)", tests.read_text())
        self.assertEqual(sorted(alerts), sorted(fired), "each alert fires in one test")

    def test_rules_use_metrics_that_exist(self):
        expressions = re.findall(r"expr: (.+)", (MONITORING / "holdfast.rules.yml").read_text())
        self.assertEqual(metrics_in(expressions) - metrics_of_holdfast(), set())


class DashboardTests(unittest.TestCase):
    def test_each_panel_asks_for_metrics_that_exist(self):
        dashboard = json.loads((MONITORING / "grafana.json").read_text())
        panels = dashboard["panels"]
        self.assertGreater(len(panels), 5)
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            expressions = [target["expr"] for target in panel["targets"]]
            self.assertTrue(metrics_in(expressions), panel["title"])
            self.assertEqual(metrics_in(expressions) - metrics_of_holdfast(), set(), panel["title"])

    def test_no_panel_lies_over_another(self):
        taken = set()
        for panel in json.loads((MONITORING / "grafana.json").read_text())["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            taken |= cells


if __name__ == "__main__":
    unittest.main()
