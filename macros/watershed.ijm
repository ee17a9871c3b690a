// Marker-based watershed on the gradient, with seeds from two grey levels.
//
// Pixels below `low` and above `high` are seeds; the window between is flooded. The result is a mask, 255 = bright.
// Options: low=NUMBER high=NUMBER flood=slices|stack. Works on the active stack; without options it asks.
//   slices  each slice by itself, with what every ImageJ has
//   stack   in 3-D; needs the plugin MorphoLibJ
//
// How slices are flooded: in the image "greatest gradient - gradient" every seed is raised above everything else. With a prominence larger
// than any gradient only seeds are maxima, and Find Maxima draws the watershed lines between them. Regions that grew
// from a bright seed are filled with 128; what is left at 255 is dark, 0 are the lines.

requires("1.53t");
arg = getArgument();
if (arg == "") {
    getStatistics(area, mean, min, max);
    Dialog.create("Watershed");
    Dialog.addMessage("Pixels outside of this window of grey levels are seeds.");
    Dialog.addNumber("Low (below it is dark)", (mean + min) / 2);
    Dialog.addNumber("High (above it is bright)", (mean + max) / 2);
    Dialog.addChoice("Flood", newArray("slices", "stack"), "slices");
    Dialog.show();
    low = Dialog.getNumber();
    high = Dialog.getNumber();
    flood = Dialog.getChoice();
} else {
    low = parseFloat(call("ij.Macro.getValue", arg, "low", "NaN"));
    high = parseFloat(call("ij.Macro.getValue", arg, "high", "NaN"));
    flood = call("ij.Macro.getValue", arg, "flood", "slices");
}
if (!(low < high))
    exit("The window needs low < high, got low=" + low + " and high=" + high + ".");

setBatchMode(true);
setOption("BlackBackground", true);
source = getImageID();
count = nSlices;
bright = maskOf("bright seeds", nextAbove(high), 1e30);
dark = maskOf("dark seeds", -1e30, nextBelow(low));
if (flood == "stack") {
    result = partedStack(bright, dark);
} else {
    keepApart(bright, dark);
    above = maskOf("above the middle", (low + high) / 2, 1e30);
    relief = reliefOf(bright, dark);
    parted = partedSlices();
    result = withoutLines(parted);
}
selectImage(result);
rename("watershed");
setMinAndMax(0, 255);

// MorphoLibJ floods its gradient from labels in 3-D.
function partedStack(bright, dark) {
    List.setCommands;
    if (List.get("Marker-controlled Watershed") == "")
        exit("This ImageJ has no MorphoLibJ, which floods in 3-D.");
    selectImage(dark);
    run("Divide...", "value=255 stack");
    selectImage(bright);
    run("Divide...", "value=127.5 stack");
    imageCalculator("Add stack", bright, dark);
    selectImage(dark);
    close();
    relief = gradient3d();
    rename("relief");
    run("Marker-controlled Watershed", "input=relief marker=[bright seeds] mask=None compactness=0");
    result = getImageID();
    setThreshold(1.5, 1e30);
    run("Convert to Mask", "background=Dark black");
    resetThreshold();
    selectImage(relief);
    close();
    selectImage(bright);
    close();
    return result;
}

// Sobel gradient in 3-D: Find Edges sees y and x, so z is smoothed for it and its own slope is added.
function gradient3d() {
    before = neighbours(-1, "before");
    after = neighbours(1, "after");
    imageCalculator("Subtract create 32-bit stack", after, before);
    slope = getImageID();
    run("Convolve...", "text1=[1 2 1\n2 4 2\n1 2 1\n] stack");
    run("Square", "stack");
    imageCalculator("Add create 32-bit stack", after, before);
    flat = getImageID();
    twice = copyOf(source, "twice");
    run("32-bit");
    run("Multiply...", "value=2 stack");
    imageCalculator("Add stack", flat, twice);
    selectImage(flat);
    run("Find Edges", "stack");
    run("Square", "stack");
    imageCalculator("Add stack", flat, slope);
    selectImage(flat);
    run("Square Root", "stack");
    helpers = newArray(before, after, slope, twice);
    for (i = 0; i < lengthOf(helpers); i++) {
        selectImage(helpers[i]);
        close();
    }
    selectImage(flat);
    return flat;
}

// Stack of the slices before or after; the first or last one is its own neighbour.
function neighbours(step, title) {
    image = copyOf(source, title);
    for (z = 1; z <= count; z++) {
        selectImage(source);
        setSliceOf(maxOf(1, minOf(count, z + step)));
        run("Select All");
        run("Copy");
        run("Select None");
        selectImage(image);
        setSliceOf(z);
        run("Paste");
        run("Select None");
    }
    selectImage(image);
    run("32-bit");
    return image;
}

// Whole grey levels have a next one; a threshold in ImageJ takes in both of its ends.
function nextAbove(value) {
    selectImage(source);
    if (bitDepth() == 32) return value;
    return floor(value) + 1;
}

function nextBelow(value) {
    selectImage(source);
    if (bitDepth() == 32) return value;
    return -floor(-value) - 1;
}

function copyOf(image, title) {
    selectImage(image);
    run("Select None");
    run("Duplicate...", "title=[" + title + "] duplicate");
    return getImageID();
}

// Mask (255 inside) of the grey levels from `from` to `to`, both ends included.
function maskOf(title, from, to) {
    image = copyOf(source, title);
    run("32-bit");
    setThreshold(from, to);
    run("Convert to Mask", "background=Dark black");
    resetThreshold();
    return image;
}

// Seeds that touch would be one maximum: pixels next to a seed of the other kind are left to the flooding.
function keepApart(bright, dark) {
    nearBright = widened(bright, "near bright");
    nearDark = widened(dark, "near dark");
    imageCalculator("Subtract stack", bright, nearDark);
    imageCalculator("Subtract stack", dark, nearBright);
    selectImage(nearBright);
    close();
    selectImage(nearDark);
    close();
}

// Gradient turned upside down, seeds raised above all of it.
function reliefOf(bright, dark) {
    image = copyOf(source, "relief");
    run("32-bit");
    run("Find Edges", "stack");
    steepest = greatest();
    run("Multiply...", "value=-1 stack");
    run("Add...", "value=" + steepest + " stack");
    seeds = copyOf(bright, "seeds");
    imageCalculator("Max stack", seeds, dark);
    run("32-bit");
    run("Multiply...", "value=" + (2 * steepest + 2) / 255 + " stack");
    imageCalculator("Max stack", image, seeds);
    selectImage(seeds);
    close();
    selectImage(image);
    return image;
}

// 8-bit stack: 128 = grown from a bright seed, 255 = from a dark one, 0 = lines between.
function partedSlices() {
    stack = copyOf(dark, "parted");
    for (z = 1; z <= count; z++) {
        showProgress(z, count);
        slice = partedSlice(z);
        selectImage(slice);
        run("Select All");
        run("Copy");
        close();
        selectImage(stack);
        setSliceOf(z);
        run("Paste");
        run("Select None");
    }
    return stack;
}

function partedSlice(z) {
    hasDark = holdsWhite(dark, z);
    hasBright = holdsWhite(bright, z);
    if (hasBright == false || hasDark == false)
        return unparted(z, hasBright, hasDark);
    points = brightPoints(z);
    selectImage(relief);
    setSliceOf(z);
    getStatistics(area, mean, min, max);
    run("Find Maxima...", "prominence=" + max / 2 + " output=[Segmented Particles]");
    setColor(128);
    for (i = 0; i < lengthOf(points); i++) {
        x = points[i] % getWidth();
        y = floor(points[i] / getWidth());
        if (getPixel(x, y) == 255)
            floodFill(x, y, "8-connected");
    }
    return getImageID();
}

// One point of each connected bright seed of a slice, as y * width + x.
function brightPoints(z) {
    selectImage(bright);
    setSliceOf(z);
    run("Find Maxima...", "prominence=10 output=[Point Selection]");
    getSelectionCoordinates(xs, ys);
    run("Select None");
    points = newArray(lengthOf(xs));
    for (i = 0; i < lengthOf(xs); i++)
        points[i] = ys[i] * getWidth() + xs[i];
    return points;
}

// A slice with seeds of one kind is all of that kind; one without any seed is parted at the middle of the window.
function unparted(z, hasBright, hasDark) {
    selectImage(above);
    setSliceOf(z);
    run("Duplicate...", "title=slice");
    if (hasBright || hasDark) {
        run("Select All");
        setColor(255 - 127 * hasBright);
        fill();
        run("Select None");
    } else {
        changeValues(255, 255, 128);
        changeValues(0, 0, 255);
    }
    return getImageID();
}

function greatest() {
    if (nSlices == 1)
        getStatistics(area, mean, min, max);
    else
        Stack.getStatistics(voxels, mean, min, max);
    return max;
}

// 1 or 0: what follows `return` in a macro is a number, never a comparison.
function holdsWhite(image, z) {
    selectImage(image);
    setSliceOf(z);
    getStatistics(area, mean, min, max);
    return floor(max / 255);
}

function setSliceOf(z) {
    if (nSlices > 1)
        setSlice(z);
}

// Give each line to the side that it touches, and to the nearer grey level where it touches both.
function withoutLines(parted) {
    grown = equalTo(parted, "grown bright", 128);
    other = equalTo(parted, "grown dark", 255);
    touchesBright = widened(grown, "touches bright");
    gain = widened(other, "gain");
    run("Invert", "stack");
    imageCalculator("OR stack", gain, above);
    imageCalculator("AND stack", gain, touchesBright);
    selectImage(other);
    run("Invert", "stack");
    imageCalculator("AND stack", gain, other);
    imageCalculator("OR stack", grown, gain);
    keepOnly(grown);
    return grown;
}

function equalTo(image, title, value) {
    copy = copyOf(image, title);
    setThreshold(value, value);
    run("Convert to Mask", "background=Dark black");
    resetThreshold();
    return copy;
}

function widened(image, title) {
    copy = copyOf(image, title);
    run("Maximum...", "radius=1 stack");
    return copy;
}

function keepOnly(image) {
    helpers = newArray(bright, dark, above, relief, parted, touchesBright, gain, other);
    for (i = 0; i < lengthOf(helpers); i++) {
        selectImage(helpers[i]);
        close();
    }
}
