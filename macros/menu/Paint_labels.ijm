// Put the tools for painting labels into ImageJ's toolbar: class 1 (active material), class 2 (pore and binder), undo,
// next training slice, coverage of this slice, train and preview. Labels are regions in the ROI Manager.
// Options: action=tools|class_1|class_2|undo|next|coverage brush=PIXELS step=SLICES
//   class_1, class_2  what is selected becomes a label
//   next              go to the next of the slices 25, 50, ... (every `step`)
//   coverage          tell how much of this slice is painted
// Every action but `tools` works in a macro as well; `coverage` returns its sentence, `next` the slice.

begin("paint");
needImage();
actions = newArray("tools", "class_1", "class_2", "undo", "next", "coverage");
Dialog.create("Paint Labels");
Dialog.addChoice("Action", actions, "tools");
Dialog.addNumber("Brush", presetNumber("brush", 8), 0, 6, "pixels wide");
Dialog.addNumber("Step", presetNumber("step", 25), 0, 6, "slices from one training slice to the next");
Dialog.show();
action = Dialog.getChoice();
brush = Dialog.getNumber();
step = Dialog.getNumber();
if (isNaN(step) || step < 1 || isNaN(brush) || brush < 1)
    fail("Brush and step need to be 1 or more; got " + brush + " and " + step + ".");
remember("brush", brush);
remember("step", step);

// A `return` in a block would leave ImageJ without an active image: it stands at the end.
said = "";
if (action == "class_1") labelSelection(1);
if (action == "class_2") labelSelection(2);
if (action == "undo") undoLabel();
if (action == "next") said = "" + nextTrainingSlice(step);
if (action == "coverage") {
    said = coverage();
    if (inBatch) print(said);
}
if (action == "tools") {
    needWindow("Painting with the mouse");
    run("Install...", "install=[" + getDirectory("plugins") + "fijibridge" + File.separator + "painting-tools.txt]");
    run("ROI Manager...");
    setTool("Paint Class 1 Tool");
    slice = nextTrainingSlice(step);
}
return said;
