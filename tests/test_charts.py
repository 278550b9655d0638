"""Charts: well formed, to scale, safe for any text."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from s2d import charts


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def test_bars_stand_to_scale_and_say_what_they_are() -> None:
    chart = parsed(charts.histogram({"kept": [2, 0, 4]}, [0.0, 1.0, 2.0, 3.0], "a & <b>"))
    bars = chart.findall("rect")
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert [bar[0].text for bar in bars] == ["0 to 1: 2 tracks, kept", "2 to 3: 4 tracks, kept"]
    assert float(bars[1].attrib["x"]) - float(bars[0].attrib["x"]) == pytest.approx(2 * (300 - 20) / 3, abs=0.2)
    assert chart.attrib["aria-label"] == "a & <b>"
    assert "4" in [text.text for text in chart.findall("text")]


def test_stacked_bars_stand_on_each_other_and_laid_over_ones_on_the_floor() -> None:
    series = {"kept": [3], "filtered": [1]}
    for stacked, bottoms_agree in ((True, False), (False, True)):
        chart = parsed(charts.histogram(series, [0.0, 1.0], "", stacked=stacked))
        bars = [{name: float(bar.attrib[name]) for name in ("y", "height")} for bar in chart.findall("rect")]
        bottoms = [bar["y"] + bar["height"] for bar in bars]
        assert (abs(bottoms[0] - bottoms[1]) < 0.2) == bottoms_agree
        if stacked:
            assert bottoms[1] == pytest.approx(bars[0]["y"], abs=0.2)


@pytest.mark.parametrize(("limits", "drawn"), [([0.5], 1), ([0.0, 1.9], 2), ([7.0, 1.0], 1), ([], 0)])
def test_limit_is_marked_where_it_is_in_sight(limits: list[float], drawn: int) -> None:
    chart = charts.histogram({"kept": [1, 1]}, [0.0, 1.0, 2.0], "", limits=limits)
    assert chart.count('class="limit"') == drawn


def test_pairs_lie_right_of_and_below_the_line_when_less_came_out() -> None:
    chart = parsed(charts.pairs([(2.0, 1.0, 1), (1.0, 2.0, 9)], 4.0, "", ("before", "after")))
    calm, shaky = chart.findall("circle")
    assert float(calm.attrib["cx"]) > float(shaky.attrib["cx"])
    assert float(calm.attrib["cy"]) > float(shaky.attrib["cy"])  # y of a picture goes down
    assert float(calm.attrib["r"]) < float(shaky.attrib["r"])


def test_traces_have_gaps_where_nothing_is_known() -> None:
    values = np.array([1.0, 2.0, np.nan, 3.0, 2.0])
    (line,) = parsed(charts.traces({"raw": values}, "", least=1.0)).findall("path")
    assert line.attrib["d"].count("M") == 2
    assert line.attrib["d"].count("L") == 2
    assert charts.traces({"raw": np.full(4, np.nan)}, "", least=1.0) == ""


def test_what_hardly_moves_is_drawn_flat() -> None:
    def height(least: float) -> float:
        (line,) = parsed(charts.traces({"raw": np.array([5.0, 5.01])}, "", least=least)).findall("path")
        ends = [float(step.split()[1]) for step in line.attrib["d"].lstrip("M").split("L")]
        return abs(ends[0] - ends[1])

    assert height(1.0) < 1
    assert height(0.001) > 30


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-0.31, 0.27, [-0.2, 0, 0.2]), (63.7, 64.1, [63.7, 63.8, 63.9, 64, 64.1])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)
