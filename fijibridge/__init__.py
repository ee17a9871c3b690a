"""fijibridge: Fiji/ImageJ from Python on FIB-SEM and X-ray CT stacks, beside its own random forest."""

__version__ = "0.1.0"
