"""The edge refiner: scenes with exact mattes, tiles along their edges, the network, its training and its export.

    scenes -> realistic coarse mattes -> tiles -> training -> packshot-edges-1.onnx -> packshot-edges-1-int8.onnx

See training/README.md for the commands and docs/decisions/0017-edge-refiner.md for the design.
"""
