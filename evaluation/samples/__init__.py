"""Sample files of other projects, read by packshot and by Pillow: `python -m evaluation.samples FOLDER`."""
