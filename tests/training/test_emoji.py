from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from training.emoji import main


def test_things_are_taken_and_signs_flags_and_skin_tones_are_not(tmp_path: Path) -> None:
    apple, boy, boy_dark, france, prohibited, digit, speck = (
        *("1f34e", "1f466", "1f466-1f3ff", "1f1eb-1f1f7", "26d4", "0031-fe0f-20e3", "1f41c"),
    )
    with tarfile.open(tmp_path / "package.tgz", "w:gz") as package:
        for stem in (apple, boy, boy_dark, france, prohibited, digit, speck):
            rgba = np.zeros((64, 64, 4), np.uint8)
            rgba[: 4 if stem == speck else 40, :40] = 255
            file = io.BytesIO()
            Image.fromarray(rgba).save(file, "WEBP", lossless=True)
            info = tarfile.TarInfo(f"package/assets/{stem}.webp")
            info.size = file.tell()
            file.seek(0)
            package.addfile(info, file)
    main([str(tmp_path / "package.tgz"), "--out", str(tmp_path)])
    with zipfile.ZipFile(tmp_path / "fluent-emoji.zip") as archive:
        assert {Path(name).stem for name in archive.namelist()} == {apple, boy}
