"""Trainable Weka Segmentation without its window: the plugin's own library, trained on painted labels."""

from __future__ import annotations

from typing import Any

import jpype

from . import _faults
from ._java import java
from ._java_source import STATE

_LIBRARY = "trainableSegmentation.WekaSegmentation"


def segment(seed: int) -> None:
    """Train on the second image's labels, label the first image, and leave the result open.

    Everything but the seed is the plugin's default. In 3-D where there is more than one slice, as its menu offers both.
    """
    grey, labels = java(STATE).inputs.get(0), java(STATE).inputs.get(1)
    try:
        library = jpype.JClass(java("ij.IJ").getClassLoader().loadClass(_LIBRARY))
        weka = library(grey.getStackSize() > 1)
        weka.setTrainingImage(grey)
        weka.getClassifier().setSeed(seed)
        _add_examples(weka, labels.getStack())
        trained = weka.trainClassifier()
        if trained:
            # Of the image that it was trained on the plugin still has the features.
            weka.applyClassifier(False)
    except jpype.JException as error:
        raise _faults.failure(error) from None
    if not trained:
        raise _faults.JobFailed(_faults.Fault("Trainable Weka Segmentation could not train on these labels", "", 0))
    weka.getClassifiedImage().show()


def _add_examples(weka: Any, labels: Any) -> None:
    """Hand over each slice's painted pixels as one region for each class, as somebody at its window would."""
    to_region = java("ij.plugin.filter.ThresholdToSelection")
    no_update = java("ij.process.ImageProcessor").NO_LUT_UPDATE
    for number in range(1, int(labels.getSize()) + 1):
        plane = labels.getProcessor(number)
        highest = int(plane.getStats().max)
        while int(weka.getNumOfClasses()) < highest:
            weka.addClass()
        for value in range(1, highest + 1):
            plane.setThreshold(value, value, no_update)
            region = to_region().convert(plane)
            if region is not None:
                weka.addExample(value - 1, region, number)
