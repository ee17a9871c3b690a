"""Real ImageJ plugins that misbehave, compiled into a folder by the compiler that the embedded ImageJ brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fijibridge.fiji._find import embedded_java, jvm_library
from fijibridge.fiji._jars import find_jars
from fijibridge.settings import load_settings

#: The body of `run(String arg)` of each plugin; the menu shows its name with blanks for underscores.
BODIES = {
    "Exit_Java": "System.exit(3);",
    "Crash_Java": """
        java.lang.reflect.Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
        field.setAccessible(true);
        ((sun.misc.Unsafe) field.get(null)).putInt(0L, 1);
    """,
    "Throw_Here": 'ij.IJ.log("before"); throw new IllegalStateException("thrown on purpose");',
    "Throw_Elsewhere": """
        Thread thread = new Thread(new Throw_Here());
        thread.start();
        thread.join();
    """,
    "Say_Error": 'ij.IJ.error("Say Error", "said on purpose");',
    "Fill_Heap": """
        java.util.ArrayList kept = new java.util.ArrayList();
        while (true) kept.add(new byte[1000000]);
    """,
    "Leave_Thread": 'new Thread(new Sleeper_(), "left behind").start();',
    "Show_Dialog": 'javax.swing.JOptionPane.showMessageDialog(null, "answer me");',
    "Count_Runs": "count++; ij.IJ.log(String.valueOf(count));",
    "Sleeper_": "while (true) Thread.sleep(100L);",
}

_COMPILE = """
import json, sys
import jpype
order = json.load(sys.stdin)
jpype.startJVM(jvmpath=order["jvm"], classpath=order["jars"], convertStrings=False)
java = jpype.JClass
pool = java("javassist.ClassPool")(True)
for name, body in order["bodies"].items():
    made = pool.makeClass(name)
    made.addInterface(pool.get("ij.plugin.PlugIn"))
    made.addInterface(pool.get("java.lang.Runnable"))
    if "count" in body:
        made.addField(java("javassist.CtField").make("static int count = 0;", made))
    make = java("javassist.CtNewMethod").make
    made.addMethod(make("public void run(String arg) { %s }" % body, made))
    made.addMethod(make('public void run() { run(""); }', made))
    made.writeFile(order["folder"])
sys.stdout.flush()
"""


def compile_plugins(folder: Path) -> Path:
    """Write all plugins of `BODIES` into a folder."""
    import json

    folder.mkdir(parents=True, exist_ok=True)
    names = ("Sleeper_", "Throw_Here", *(name for name in BODIES if name not in ("Sleeper_", "Throw_Here")))
    order = {
        "jvm": str(jvm_library(embedded_java())),
        "jars": [str(path) for path in find_jars(load_settings().cache)],
        "bodies": {name: BODIES[name] for name in names},
        "folder": str(folder),
    }
    subprocess.run([sys.executable, "-c", _COMPILE], input=json.dumps(order).encode(), check=True, timeout=120)
    return folder
