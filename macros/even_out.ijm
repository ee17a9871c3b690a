// Give all slices of the active stack the same brightness and contrast: mean and standard deviation of a reference.
// Options: reference=stack|first|middle   (stack = the mean over all slices)
// Works on the active stack; without options it asks.

requires("1.53t");
arg = getArgument();
if (arg == "") {
    Dialog.create("Even Out");
    Dialog.addChoice("Reference", newArray("stack", "first", "middle"), "stack");
    Dialog.show();
    reference = Dialog.getChoice();
} else {
    reference = call("ij.Macro.getValue", arg, "reference", "stack");
}

setBatchMode(true);
run("Select None");
count = nSlices;
means = newArray(count);
spreads = newArray(count);
for (z = 1; z <= count; z++) {
    if (count > 1) setSlice(z);
    getRawStatistics(pixels, mean, min, max, spread);
    means[z - 1] = mean;
    spreads[z - 1] = spread;
}
at = 0;
if (reference == "middle") at = floor(count / 2);
level = means[at];
contrast = spreads[at];
if (reference == "stack") {
    Array.getStatistics(means, min, max, level);
    Array.getStatistics(spreads, min, max, contrast);
}
whole = bitDepth() != 32;
for (z = 1; z <= count; z++) {
    if (count > 1) setSlice(z);
    factor = 1;
    if (spreads[z - 1] > 0) factor = contrast / spreads[z - 1];
    // One step, so that nothing is cut off between: v = v * factor + offset. Whole grey levels are cut off: add a half.
    offset = level - means[z - 1] * factor;
    if (whole) offset += 0.5;
    sign = "+";
    if (offset < 0) sign = "-";
    run("Macro...", "code=v=v*" + d2s(factor, 9) + sign + d2s(abs(offset), 9) + " slice");
}
if (count > 1) setSlice(1);
