// Cut a box out of the active stack.
// Options: z0=0 z1=NSLICES y0=0 y1=HEIGHT x0=0 x1=WIDTH   (from 0, ends not included)
// Works on the active stack; without options it takes the rectangle that is selected, or asks for one.

requires("1.53t");
arg = getArgument();
z0 = 0;
z1 = nSlices;
y0 = 0;
y1 = getHeight();
x0 = 0;
x1 = getWidth();
if (arg == "") {
    if (selectionType() != 0)
        waitForUser("Crop", "Select a rectangle, then press OK.");
    if (selectionType() != 0)
        exit("Select a rectangle first.");
    getSelectionBounds(x0, y0, wide, high);
    x1 = x0 + wide;
    y1 = y0 + high;
} else {
    z0 = parseFloat(call("ij.Macro.getValue", arg, "z0", "" + z0));
    z1 = parseFloat(call("ij.Macro.getValue", arg, "z1", "" + z1));
    y0 = parseFloat(call("ij.Macro.getValue", arg, "y0", "" + y0));
    y1 = parseFloat(call("ij.Macro.getValue", arg, "y1", "" + y1));
    x0 = parseFloat(call("ij.Macro.getValue", arg, "x0", "" + x0));
    x1 = parseFloat(call("ij.Macro.getValue", arg, "x1", "" + x1));
}
if (z0 < 0 || z1 > nSlices || z0 >= z1 || y0 < 0 || y1 > getHeight() || y0 >= y1 || x0 < 0 || x1 > getWidth() || x0 >= x1)
    exit("The box lies outside of the stack or holds nothing.");

source = getImageID();
name = getTitle();
makeRectangle(x0, y0, x1 - x0, y1 - y0);
if (nSlices > 1)
    run("Duplicate...", "title=cropped duplicate range=" + (z0 + 1) + "-" + z1);
else
    run("Duplicate...", "title=cropped");
result = getImageID();
selectImage(source);
close();
selectImage(result);
rename(name);
