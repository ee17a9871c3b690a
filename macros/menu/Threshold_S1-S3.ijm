// Segment the active stack by three thresholds: S2 and those 10 grey levels of 8 bit below (S1) and above it (S3).
// Options: method=METHOD|fixed level=GREY step=LEVELS s1 s2 s3
//   method  any of ImageJ's automatic methods on the histogram of the whole stack finds S2; fixed: S2 is `level`
//   step    in grey levels of 8 bit; on other types a 255th of the grey range is one
// Voxels above the level are 255. All in ImageJ, without the service.

begin("threshold");
needGrey();
source = getImageID();
getThreshold(lower, upper);
// A threshold that was set by hand (Image > Adjust > Threshold) is what is meant.
standard = "Otsu";
if (lower != -1) standard = "fixed";
// ImageJ before 1.54 takes no array that a function makes as an argument.
methods = getList("threshold.methods");
methods = Array.concat("fixed", methods);
Dialog.create("Threshold S1-S3");
Dialog.addChoice("Method", methods, preset("method", standard));
Dialog.addNumber("Level", presetNumber("level", maxOf(lower, 0)), 2, 8, "grey value of S2 (method \"fixed\")");
Dialog.addNumber("Step", presetNumber("step", 10), 1, 8, "grey levels of 8 bit between S1, S2 and S3");
Dialog.addCheckbox("S1", presetNumber("s1", 1));
Dialog.addCheckbox("S2", presetNumber("s2", 1));
Dialog.addCheckbox("S3", presetNumber("s3", 1));
Dialog.show();
method = Dialog.getChoice();
level = Dialog.getNumber();
step = Dialog.getNumber();
wanted = newArray(3);
remember("method", method);
remember("level", level);
remember("step", step);
for (k = 0; k < 3; k++) {
    wanted[k] = Dialog.getCheckbox();
    remember("s" + (k + 1), wanted[k]);
}
if (wanted[0] + wanted[1] + wanted[2] == 0)
    fail("None of S1, S2 and S3 is wanted; tick at least one.");

setBatchMode(true);
title = stem(getTitle());
// On whole grey levels the first bright one follows the level.
next = 1;
if (bitDepth() == 32) next = 0;
copy = copyOf(source, "grey");
if (bitDepth() != 8) {
    range = stackRange();
    step = step * (range[1] - range[0]) / 255;
}
if (method != "fixed") level = parseFloat(engine("threshold.ijm", "method=" + method)) - next;
close();
for (k = 0; k < 3; k++) {
    if (wanted[k]) {
        mask = copyOf(source, title + "-S" + (k + 1));
        first = level + (k - 1) * step;
        if (next == 1) first = floor(first) + 1;
        bright = engine("threshold.ijm", "method=fixed lower=" + first);
        Property.set("bright above", level + (k - 1) * step);
    }
}
display();
