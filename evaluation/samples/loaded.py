"""Imports for the process that all children are forked from: every codec of both readers, and Pillow's HEIC."""

import pillow_heif
from PIL import Image

import evaluation.samples.sweep  # noqa: F401
from packshot.core.codecs import FORMATS

pillow_heif.register_heif_opener()
Image.init()
READERS = [row.reader for row in FORMATS.values()]
