from __future__ import annotations

import json

import pytest

from s2d.curation.config import CurationConfig, layered, read_settings
from s2d.errors import S2DError, UsageError

SETTINGS = {"detector": "dlib", "crop_size": 128, "jpeg": False, "filters": {"min_face_px": 99, "min_frames": None}}
YAML = """
detector: dlib
crop_size: 128
jpeg: false
filters:
  min_face_px: 99
  min_frames:      # off
"""


@pytest.mark.parametrize(("name", "text"), [("a.yaml", YAML), ("a.json", json.dumps(SETTINGS))])
def test_settings_come_from_yaml_and_from_json(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    config = CurationConfig.from_settings(read_settings(tmp_path / name))
    assert (config.detector, config.crop_size, config.jpeg) == ("dlib", 128, False)
    assert config.filters.value("min_face_px") == 99
    assert config.filters.value("min_frames") is None


def test_what_is_not_said_is_as_by_default():
    assert CurationConfig.from_settings({}) == CurationConfig.from_settings({"filters": None}) == CurationConfig()


def test_later_layers_go_before_earlier_ones_filter_by_filter():
    recipe = {"crop_size": 64, "filters": {"min_face_px": 10, "min_score": 0.1}}
    joined = layered(recipe, {"filters": None}, {"detector": "fan", "filters": {"min_face_px": 20}})
    assert joined == {"crop_size": 64, "detector": "fan", "filters": {"min_face_px": 20, "min_score": 0.1}}
    assert recipe["filters"]["min_face_px"] == 10


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"crop_siz": 1}, "cannot set crop_siz: there is no such setting; use crop_size"),
        ({"crop_size": "256"}, "cannot set crop_size = '256': it is no int"),
        ({"crop_size": True}, "cannot set crop_size = True: it is no int"),
        ({"jpeg": "yes"}, "it is no bool"),
        ({"crop_size": 5000}, "the most is 2048"),
        ({"filters": ["min_frames"]}, "is no mapping"),
        ({"filters": {"min_fraems": 3}}, "near it: min_frames"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(settings, says):
    with pytest.raises(UsageError) as raised:
        CurationConfig.from_settings(layered(settings, {"filters": {"min_score": 0.5}}))
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "it must be YAML or JSON"), ("- 1", "it holds no names with values"), ("", "it holds no names")],
)
def test_a_file_that_holds_no_settings_is_one_line(tmp_path, text, says):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(S2DError, match=says) as raised:
        read_settings(tmp_path / "a.yaml")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(S2DError, match="No such file"):
        read_settings(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(S2DError, match="must be YAML or JSON"):
        read_settings(tmp_path / "b.yaml")
