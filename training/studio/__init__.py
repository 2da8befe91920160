"""A virtual studio: photoreal product scenes with exact alpha, one per seed. See README.md.

`plan` draws a scene's choices and needs only Python. With bpy, `stage` and `products` build the scene and `shutter`
renders it.
"""
