"""Faults of headless ImageJ that are mended, each with the Java that mends it and the reason."""

from __future__ import annotations

from typing import NamedTuple

DIALOG = "net.imagej.patcher.HeadlessGenericDialog"


class Mend(NamedTuple):
    """A method that gets a new body, or code before or after its own (`place`)."""

    type: str
    method: str
    signature: str
    source: str
    place: str = "instead"


#: Reads an option as ImageJ's own dialog does: with "&name" standing for a variable of the macro.
GIVEN = """
private static String given(String label, String otherwise) {
    String value = ij.Macro.getValue(ij.Macro.getOptions(), label == null ? "" : label, null);
    if (value == null) return otherwise;
    ij.macro.Interpreter running = ij.macro.Interpreter.getInstance();
    if (!value.startsWith("&") || running == null) return value;
    String held = running.getVariableAsString(value.substring(1));
    return held == null ? value : held;
}
"""

MENDS = (
    # A command that throws is only noted in the log and the macro goes on: stop it there, where its line is known.
    Mend(
        "ij.IJ",
        "log",
        "(Ljava/lang/String;)V",
        """
        ij.macro.Interpreter running = ij.macro.Interpreter.getInstance();
        boolean trace = $1 != null && $1.indexOf("\\n\\tat ") > 0;
        if (trace && running != null && Thread.currentThread().getName().endsWith("Macro$"))
            running.abort($1.substring(0, $1.indexOf("\\n")));
        """,
        "after",
    ),
    # The ROI manager has no window here, and counts as open: it is made when somebody asks for it.
    *(
        Mend(
            "ij.plugin.frame.RoiManager",
            name,
            "()Lij/plugin/frame/RoiManager;",
            "if (instance == null) fijibridge.State.makeManager();",
            "before",
        )
        for name in ("getRoiManager", "getInstance", "getRawInstance")
    ),
    Mend(
        "ij.WindowManager",
        "getFrame",
        "(Ljava/lang/String;)Ljava/awt/Frame;",
        """if ("ROI Manager".equals($1)) return ij.plugin.frame.RoiManager.getRawInstance();""",
        "before",
    ),
    Mend(
        "ij.IJ",
        "runPlugIn",
        "(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/Object;",
        """
        if ("ij.plugin.frame.RoiManager".equals($2) && $3.length() == 0)
            return ij.plugin.frame.RoiManager.getRawInstance();
        """,
        "before",
    ),
    # There is no toolbar; macros choose a tool for the user who would go on by hand.
    *(
        Mend("ij.IJ", "setTool", signature, f"if (ij.gui.Toolbar.getInstance() == null) return{value};", "before")
        for signature, value in (("(I)V", ""), ("(Ljava/lang/String;)Z", " true"))
    ),
    # setBatchMode(false) closes what was opened in batch mode. Headless, all is batch mode; the volumes that came in
    # were there before it, and stay.
    Mend(
        "ij.macro.Interpreter",
        "setBatchMode",
        "(Z)V",
        """{
        batchMode = true;
        java.util.Vector left = fijibridge.State.amongInputs(imageTable);
        if (!$1) {
            imageTable = left;
            imageActivations = new java.util.Vector(left);
        }
        }""",
    ),
    Mend(
        "ij.macro.Interpreter",
        "addBatchModeImage",
        "(Lij/ImagePlus;)V",
        """
        if (imageTable != null && imageTable.contains($1)) {
            activateImage($1);
            return;
        }
        """,
        "before",
    ),
    # "Measure" compares the table with a window that is not there, and deletes all rows but the last.
    Mend("ij.plugin.filter.Analyzer", "displayResults", "()V", "if (ij.IJ.getInstance() == null) return;", "before"),
    # Rows of the results table went into the log, since their window is not there; the table has them anyway.
    *(
        Mend(type_, name, signature, "if (ij.IJ.getInstance() == null) return;", "before")
        for type_, name, signature in (
            ("ij.IJ", "write", "(Ljava/lang/String;)V"),
            ("ij.IJ", "setColumnHeadings", "(Ljava/lang/String;)V"),
            ("ij.measure.ResultsTable", "addResults", "()V"),
        )
    ),
    # Gaps in a group of check boxes have no label; "Analyze Particles..." has one, and failed on it.
    Mend(
        DIALOG,
        "addCheckboxGroup",
        "(II[Ljava/lang/String;[Z)V",
        """{
        for (int i = 0; i < $3.length; i++)
            if ($3[i] != null && $3[i].length() > 0) addCheckbox($3[i], $4[i]);
        }""",
    ),
    Mend(
        DIALOG,
        "getMacroParameter",
        "(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
        "return given($1, $2);",
    ),
    # Fields for files and images were left out, so that reading them failed ("Image Sequence..." among others).
    *(
        Mend(DIALOG, name, f"(Ljava/lang/String;Ljava/lang/String;{more})V", "addStringField($1, $2);")
        for name in ("addFileField", "addDirectoryField")
        for more in ("", "I")
    ),
    Mend(
        DIALOG,
        "addImageChoice",
        "(Ljava/lang/String;Ljava/lang/String;)V",
        "addChoice($1, ij.WindowManager.getImageTitles(), $2);",
    ),
    # The text of an area was not looked for among the options, so that "Convolve..." took its own kernel for any other.
    Mend(
        DIALOG,
        "addTextAreas",
        "(Ljava/lang/String;Ljava/lang/String;II)V",
        """{ textArea1 = given("text1", $1); textArea2 = given("text2", $2); }""",
    ),
    # It writes into the message under its fields; without one it failed, unseen, and did one slice only.
    Mend(
        "ij.plugin.filter.Convolver",
        "dialogItemChanged",
        "(Lij/gui/GenericDialog;Ljava/awt/AWTEvent;)Z",
        """if (messageLabel == null) messageLabel = new ij.gui.MultiLineLabel("");""",
        "before",
    ),
    # What a command throws while it reads its options is swallowed by ImageJ, which goes on with half of them.
    Mend(
        DIALOG,
        "showDialog",
        "()V",
        """{
        if (ij.Macro.getOptions() == null) throw new RuntimeException("Cannot run dialog headlessly");
        resetCounters();
        if (listener == null) return;
        try {
            listener.dialogItemChanged((ij.gui.GenericDialog) (Object) this, null);
        } catch (RuntimeException failure) {
            ij.IJ.error("The options could not be read: " + failure);
            throw failure;
        }
        resetCounters();
        }""",
    ),
    Mend(DIALOG, "getNextImage", "()Lij/ImagePlus;", "return ij.WindowManager.getImage(getNextChoice());"),
    # A number that is none was an exception which many commands swallow, returning as if all were well.
    Mend(
        DIALOG,
        "getMacroParameter",
        "(Ljava/lang/String;D)D",
        """{
        String value = given($1, null);
        if (value == null) return $2;
        double number = ij.util.Tools.parseDouble(value, Double.NaN);
        if (Double.isNaN(number) && !value.equals("NaN"))
            ij.IJ.error("Number expected for \\"" + $1 + "\\", found \\"" + value + "\\"");
        return number;
        }""",
    ),
    # A choice that is none silently became the first one; ImageJ's own dialog keeps it as a text, not as an index.
    Mend(
        DIALOG,
        "addChoice",
        "(Ljava/lang/String;[Ljava/lang/String;Ljava/lang/String;)V",
        """{
        String value = given($1, $3);
        int index = value == null ? 0 : -1;
        for (int i = 0; i < $2.length && index < 0; i++)
            if ($2[i].equals(value)) index = i;
        if (index < 0 && given($1, null) == null) index = 0;
        choiceIndices.add(Integer.valueOf(index));
        choices.add(index < 0 ? value : $2[index]);
        }""",
    ),
    Mend(
        DIALOG,
        "getNextChoiceIndex",
        "()I",
        """{
        int index = ((Integer) choiceIndices.get(choiceIndex)).intValue();
        if (index < 0) ij.IJ.error("\\"" + choices.get(choiceIndex) + "\\" is not a valid choice");
        choiceIndex++;
        return index;
        }""",
    ),
)
