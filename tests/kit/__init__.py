"""Shared by several test modules. images.py makes pictures and files (good, odd, bad); files.py writes files byte by
byte.
"""
