"""A virtual studio: photoreal product scenes with exact alpha, one per seed. See README.md.

`plan` draws a scene's choices and needs only Python; `stage` and `products` build it and `shutter` takes it, with bpy.
"""
