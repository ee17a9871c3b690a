"""fijibridge in napari: open what it reads, paint labels, train, preview, run operations and recipes, compare.

napari finds it by ``napari.yaml``; nothing here is imported by the rest of the package.
"""
