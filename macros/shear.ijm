// Undo the movement of a tilted view: each slice of the active stack moves further down than the one before.
// Options: step=PIXELS extra=ROWS
//   step   rows from one slice to the next: slice distance times the cosine of the angle, over the pixel height
//   extra  rows that are added below; as many as the last slice moves where left out
// Works on the active stack; without options it asks. What is outside of a slice is 0.

requires("1.53t");
arg = getArgument();
if (arg == "") {
    getVoxelSize(dx, dy, dz, unit);
    Dialog.create("Shear");
    Dialog.addNumber("Angle between electron beam and face", 52, 1, 6, "degrees");
    Dialog.addNumber("Slice distance", dz, 3, 8, unit);
    Dialog.show();
    angle = Dialog.getNumber();
    dz = Dialog.getNumber();
    step = dz * cos(angle * PI / 180) / dy;
    extra = -1;
} else {
    step = parseFloat(call("ij.Macro.getValue", arg, "step", "0"));
    extra = parseFloat(call("ij.Macro.getValue", arg, "extra", "-1"));
}
if (isNaN(step) || step < 0)
    exit("The step must be 0 rows or more.");
setBatchMode(true);
run("Select None");
count = nSlices;
if (extra < 0) extra = -floor(-step * (count - 1));
if (extra > 0)
    run("Canvas Size...", "width=" + getWidth() + " height=" + (getHeight() + extra) + " position=Top-Center zero");
for (z = 2; z <= count; z++) {
    setSlice(z);
    if (step > 0)
        run("Translate...", "x=0 y=" + d2s(step * (z - 1), 6) + " interpolation=Bicubic slice");
    showProgress(z, count);
}
if (count > 1) setSlice(1);
