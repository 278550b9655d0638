"""Small trees of the same shape as the public data sets; the videos are orders to FakeWork (see curation_fakes.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

Who = tuple[str, "str | None"]


@dataclass(frozen=True)
class Tree:
    """Files of a stand-in, and what its recipe must make of them."""

    files: dict[str, str]
    videos: dict[str, Who]
    """Name below the recipe's to identity and split."""
    missing: list[str] = field(default_factory=list)
    """Names among these without a file."""
    unknown: list[str] = field(default_factory=list)

    def write(self, root: Path) -> Path:
        for path, content in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)
        return root


VOX = """video_id,start,end,bbox,fps,width,height,partition,person_id
WMh3ye5tBsE,3657,3994,624-48-1018-553,25,1280,720,train,id10005
WMh3ye5tBsE,3467,3576,610-41-989-550,25,1280,720,train,id10005
WMh3ye5tBsE,3467,3576,610-41-989-550,25,1280,720,train,id10005
5r0dWxy17C8,100,225,100-50-300-350,25,400,400,test,id10270
gone,25,50,0-0-640-360,25,1280,720,train,id10309
"""
CELEBV = {
    "meta_info": {},
    "clips": {
        "M2Ohb0FAaJU_1": {
            "ytb_id": "M2Ohb0FAaJU",
            "duration": {"start_sec": 81.62, "end_sec": 86.17},
            "bbox": {"top": 0.0, "bottom": 0.5, "left": 0.1964, "right": 0.6922},
            "attributes": {"appearance": [0, 1], "emotion": {"sep_flag": False, "labels": "neutral"}},
        },
        "M2Ohb0FAaJU_2": {
            "ytb_id": "M2Ohb0FAaJU",
            "duration": {"start_sec": 90, "end_sec": 92.5},
            "bbox": {"top": 0.0, "bottom": 1.0, "left": 0.0, "right": 0.5},
        },
        "_0tf2n3rlJU_0": {
            "ytb_id": "_0tf2n3rlJU",
            "duration": {"start_sec": 52.72, "end_sec": 56.1},
            "bbox": {"top": 0.0, "bottom": 0.8407, "left": 0.5271, "right": 1.0},
        },
    },
}
TALKING = (
    "--Y9imYnfBw_0000, 720, 1280, 0, 271, 504, 63, 792, 351\n--Y9imYnfBw_0001, 720, 1280, 5, 64, 504, 63, 792, 351\n"
)

TREES = {
    "voxceleb1": Tree(
        {
            "vox-metadata.csv": VOX,
            "videos/WMh3ye5tBsE.mp4": "kept 1",
            "videos/5r0dWxy17C8.mp4": "kept 1 b",
            "videos/other.mp4": "kept 1",
        },
        {
            "videos/WMh3ye5tBsE.mp4#146.28-159.76@0.641,0.417": ("id10005", "train"),
            "videos/WMh3ye5tBsE.mp4#138.68-143.04@0.625,0.410": ("id10005", "train"),
            "videos/5r0dWxy17C8.mp4#4.0-9.0@0.500,0.500": ("id10270", "test"),
            "videos/gone.mp4#1.0-2.0@0.250,0.250": ("id10309", "test"),
        },
        missing=["videos/gone.mp4#1.0-2.0@0.250,0.250"],
        unknown=["videos/other.mp4"],
    ),
    "voxceleb2": Tree(
        {
            "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4": "kept 1 a",
            "dev/mp4/id00012/21Uxsk56VDQ/00002.mp4": "kept 1 b",
            "test/mp4/id00017/01dfn2spqyE/00003.mp4": "filtered",
            "vox2_meta.csv": "Name",
            "dev/mp4/id00012/loose.mp4": "kept 1 c",
        },
        {
            "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4": ("id00012", "train"),
            "dev/mp4/id00012/21Uxsk56VDQ/00002.mp4": ("id00012", "train"),
            "test/mp4/id00017/01dfn2spqyE/00003.mp4": ("id00017", "test"),
        },
        unknown=["dev/mp4/id00012/loose.mp4"],
    ),
    "hdtf": Tree(
        {
            "HDTF_dataset/RD_annotion_time.txt": "Radio11.mp4 00:30-01:00 01:30-02:30\nRadio12.mp4 00:25-01:00 \n",
            "HDTF_dataset/WDA_annotion_time.txt": "\ufeffAmyKlobuchar0.mp4 00:10-04:30\n\nAmyKlobuchar1.mp4 0:35-02:45",
            "HDTF_dataset/RD_video_url.txt": "Radio11 https://www.youtube.com/watch?v=x",
            "videos/Radio11.mp4": "kept 1",
            "videos/AmyKlobuchar0.mp4": "kept 1 a",
            "videos/AmyKlobuchar1.mp4": "kept 1 b",
        },
        {
            "videos/Radio11.mp4#30.0-60.0": ("Radio", "train"),
            "videos/Radio11.mp4#90.0-150.0": ("Radio", "train"),
            "videos/Radio12.mp4#25.0-60.0": ("Radio", "train"),
            "videos/AmyKlobuchar0.mp4#10.0-270.0": ("AmyKlobuchar", "train"),
            "videos/AmyKlobuchar1.mp4#35.0-165.0": ("AmyKlobuchar", "train"),
        },
        missing=["videos/Radio12.mp4#25.0-60.0"],
    ),
    "celebvhq": Tree(
        {
            "celebvhq_info.json": json.dumps(CELEBV),
            "raw/M2Ohb0FAaJU.mp4": "kept 1",
            "raw/_0tf2n3rlJU.mp4": "kept 1 b",
            "processed/M2Ohb0FAaJU_1.mp4": "kept 1",
        },
        {
            "raw/M2Ohb0FAaJU.mp4#81.62-86.17@0.444,0.250": ("M2Ohb0FAaJU", "train"),
            "raw/M2Ohb0FAaJU.mp4#90.0-92.5@0.250,0.500": ("M2Ohb0FAaJU", "train"),
            "raw/_0tf2n3rlJU.mp4#52.72-56.1@0.764,0.420": ("_0tf2n3rlJU", "train"),
        },
    ),
    "talkinghead1kh": Tree(
        {
            "data_list/train_video_tubes.txt": TALKING,
            "data_list/val_video_tubes.txt": "1lSejjfNHpw_0075,1080,1920,0,100,0,0,1080,1080\n",
            "data_list/train_video_ids.txt": "--Y9imYnfBw\n",
            "train/1min_clips/--Y9imYnfBw_0000.mp4": "kept 1",
            "train/1min_clips/--Y9imYnfBw_0001.mp4": "kept 1 b",
            "train/raw_videos/--Y9imYnfBw.mp4": "kept 1",
            "val/1min_clips/1lSejjfNHpw_0075.mp4": "kept 1 c",
            "val/cropped_clips/1lSejjfNHpw_0075_S0_E100_L0_T0_R1080_B1080.mp4": "kept 1 d",
        },
        {
            "train/1min_clips/--Y9imYnfBw_0000.mp4#0-272f@0.506,0.287": ("--Y9imYnfBw", "train"),
            "train/1min_clips/--Y9imYnfBw_0001.mp4#5-65f@0.506,0.287": ("--Y9imYnfBw", "train"),
            "val/1min_clips/1lSejjfNHpw_0075.mp4#0-101f@0.281,0.500": ("1lSejjfNHpw", "val"),
        },
    ),
    "300vw": Tree(
        {"001/vid.avi": "kept 1 a", "001/annot/000001.pts": "version: 1", "114/vid.avi": "filtered a",
         "562/vid.avi": "filtered b", "223/vid.avi": "filtered"},
        {"001/vid.avi": ("001", "train"), "114/vid.avi": ("114", "test"), "223/vid.avi": ("223", "train"),
         "562/vid.avi": ("562", "test")},
    ),
    "wflwv": Tree(
        {"easy_video_IDs.txt": "-3rDiJYQ6CQ\nlost\n", "hard_video_IDs.txt": "KLWvilm5hE4",
         "videos/-3rDiJYQ6CQ.mp4": "kept 1", "videos/KLWvilm5hE4.mp4": "kept 2", "landmarks/-3rDiJYQ6CQ.npy": "x"},
        {"videos/-3rDiJYQ6CQ.mp4": ("-3rDiJYQ6CQ", "test"), "videos/KLWvilm5hE4.mp4": ("KLWvilm5hE4", "test"),
         "videos/lost.mp4": ("lost", "test")},
        missing=["videos/lost.mp4"],
    ),
    "folder": Tree(
        {"ann/a.mp4": "kept 1", "ann/deep/er/b.MOV": "kept 1 b", "bob.mkv": "kept 1 c", "notes.txt": "-"},
        {"ann/a.mp4": ("ann", None), "ann/deep/er/b.MOV": ("ann", None), "bob.mkv": ("bob", None)},
    ),
}  # fmt: skip
