// Align the slices of the active stack by translation: FFT correlation of each slice with the one before it.
// Options: trend=keep|remove|template  maxshift=PIXELS  slow=SLICES  region=[y0 y1 x0 x1]
//   method=correlation|stackreg|sift: by this macro alone (translation only), or by a plugin that ImageJ must have, StackReg
//     (with TurboReg) or Linear Stack Alignment with SIFT (mpicbg); plugins take out all that they find: trend=remove
//   model=translation|rigid|affine
//   keep      takes out jitter and jumps, keeps what changes over more than `slow` slices
//   remove    takes out all movement
//   template  takes out all movement of the region, each slice against the first
// Returns the shifts of the slices as "y x" pairs, one pair a line. Works on the active stack; without options it asks.
// What comes from outside a slice is 0.

requires("1.53t");
arg = getArgument();
getDimensions(width, height, channels, slices, frames);
region = "";
model = "translation";
method = "correlation";
if (arg == "") {
    Dialog.create("Align");
    Dialog.addChoice("Slices are", newArray("translation", "rigid", "affine"), "translation");
    Dialog.addChoice("Method", newArray("correlation", "stackreg", "sift"), "correlation");
    Dialog.addChoice("Trend", newArray("keep", "remove", "template"), "keep");
    Dialog.addNumber("Largest shift from slice to slice", round(minOf(width, height) / 4), 0, 6, "pixels");
    Dialog.addNumber("Slow is what takes more than", 30, 0, 6, "slices");
    Dialog.addMessage("For the trend \"template\", select the fixed region first.");
    Dialog.show();
    model = Dialog.getChoice();
    method = Dialog.getChoice();
    trend = Dialog.getChoice();
    reach = Dialog.getNumber();
    slow = Dialog.getNumber();
    if (selectionType() == 0) {
        getSelectionBounds(left, top, wide, high);
        region = "" + top + " " + (top + high) + " " + left + " " + (left + wide);
    }
} else {
    model = call("ij.Macro.getValue", arg, "model", "translation");
    method = call("ij.Macro.getValue", arg, "method", "correlation");
    trend = call("ij.Macro.getValue", arg, "trend", "keep");
    reach = parseFloat(call("ij.Macro.getValue", arg, "maxshift", "" + minOf(width, height) / 4));
    slow = parseFloat(call("ij.Macro.getValue", arg, "slow", "30"));
    region = call("ij.Macro.getValue", arg, "region", "");
}
if (nSlices < 2)
    return "0 0\n";
if (trend == "template" && region == "")
    exit("The trend \"template\" needs a region that is fixed by construction.");

if (method != "correlation") byPlugin();
else if (model != "translation")
    exit("Turns and stretches are measured by a plugin: choose the method \"stackreg\" or \"sift\".");
// A return inside of a block that ran is an error in ImageJ.
if (method != "correlation")
    return "";

setBatchMode(true);
source = getImageID();
run("Select None");
left = 0; top = 0; wide = width; high = height;
if (trend == "template") {
    corner = split(region, " ");
    top = parseInt(corner[0]); high = parseInt(corner[1]) - top;
    left = parseInt(corner[2]); wide = parseInt(corner[3]) - left;
}
// The transform needs a square whose side is a power of two: what is left over is filled with the mean.
side = 32;
while (side < maxOf(wide, high)) side *= 2;

count = nSlices;
moveY = newArray(count);
moveX = newArray(count);
before = prepared(1);
for (z = 2; z <= count; z++) {
    now = prepared(z);
    step = displacement(before, now);
    if (trend == "template") {
        moveY[z - 1] = -step[0];
        moveX[z - 1] = -step[1];
        selectImage(now);
        close();
    } else {
        moveY[z - 1] = moveY[z - 2] - step[0];
        moveX[z - 1] = moveX[z - 2] - step[1];
        selectImage(before);
        close();
        before = now;
    }
    showProgress(z, count);
}
selectImage(before);
close();
if (trend == "keep") {
    moveY = fast(moveY, slow);
    moveX = fast(moveX, slow);
}
said = "";
selectImage(source);
for (z = 1; z <= count; z++) {
    setSlice(z);
    if (moveY[z - 1] != 0 || moveX[z - 1] != 0)
        run("Translate...", "x=" + moveX[z - 1] + " y=" + moveY[z - 1] + " interpolation=Bicubic slice");
    said = said + moveY[z - 1] + " " + moveX[z - 1] + "\n";
}
setSlice(1);
return said;

// Align by a plugin; the result is the active stack.
function byPlugin() {
    command = "StackReg";
    if (method == "sift") command = "Linear Stack Alignment with SIFT";
    List.setCommands;
    if (List.get(command) == "")
        exit("This ImageJ has no " + command + ", which this method needs.");
    if (trend != "remove")
        exit(command + " removes all that it finds: choose the trend \"remove\".");
    if (method == "sift") {
        kind = "Translation";
        if (model == "rigid") kind = "Rigid";
        if (model == "affine") kind = "Affine";
        run(command, "initial_gaussian_blur=1.60 steps_per_scale_octave=3 minimum_image_size=64 maximum_image_size=1024 "
            + "feature_descriptor_size=4 feature_descriptor_orientation_bins=8 closest/next_closest_ratio=0.92 "
            + "maximal_alignment_error=25 inlier_ratio=0.05 expected_transformation=" + kind
            + " interpolate show_transformation_matrix");
    } else {
        kind = "Translation";
        if (model == "rigid") kind = "[Rigid Body]";
        if (model == "affine") kind = "Affine";
        run(command, "transformation=" + kind);
    }
}

// One slice as the correlation needs it: streaks along y and uneven light taken out, faded to the rim, on a square.
function prepared(z) {
    selectImage(source);
    setSlice(z);
    makeRectangle(left, top, wide, high);
    run("Duplicate...", "title=slice");
    image = getImageID();
    run("Select None");
    run("32-bit");
    run("Gaussian Blur...", "sigma=1.2");
    run("Duplicate...", "title=light");
    light = getImageID();
    run("Gaussian Blur...", "sigma=5");
    imageCalculator("Subtract", image, light);
    selectImage(light);
    close();
    selectImage(image);
    // A window that fades slowly would itself correlate, and pull every displacement to zero.
    run("Macro...", "code=v=v*minOf(1,4*sin(3.14159265*(x+0.5)/w))*minOf(1,4*sin(3.14159265*(y+0.5)/h))");
    run("Canvas Size...", "width=" + side + " height=" + side + " position=Center zero");
    rename("slice " + z);
    return image;
}

// By how many pixels (y, x) the second image's content lies further than that of the first.
function displacement(first, second) {
    selectImage(first);
    one = getTitle();
    selectImage(second);
    two = getTitle();
    run("FD Math...", "image1=[" + two + "] operation=Correlate image2=[" + one + "] result=correlation do");
    selectImage("correlation");
    far = minOf(round(reach), side / 2 - 2);
    makeRectangle(side / 2 - far, side / 2 - far, 2 * far + 1, 2 * far + 1);
    // One peak only: none other rises by more than the image's whole range.
    getStatistics(area, mean, min, max);
    run("Find Maxima...", "prominence=" + (max - min) * 2 + " output=[Point Selection]");
    getSelectionCoordinates(xs, ys);
    x = xs[0];
    y = ys[0];
    run("Select None");
    found = newArray(y - side / 2 + vertex(x, y - 1, x, y, x, y + 1), x - side / 2 + vertex(x - 1, y, x, y, x + 1, y));
    close();
    return found;
}

// Where between three pixels a parabola through them is highest, from the middle one.
function vertex(x1, y1, x2, y2, x3, y3) {
    low = getPixel(x1, y1);
    middle = getPixel(x2, y2);
    high3 = getPixel(x3, y3);
    bend = low - 2 * middle + high3;
    if (bend >= 0) return 0;
    return 0.5 * (low - high3) / bend;
}

// A path without its slow part (a running mean, twice, over half the slow length; lines go on beyond the ends).
function fast(path, length) {
    smooth = running(running(path, length), length);
    for (i = 0; i < path.length; i++) smooth[i] = path[i] - smooth[i];
    return smooth;
}

function running(path, length) {
    half = maxOf(1, round(length / 4));
    last = path.length - 1;
    result = newArray(path.length);
    for (i = 0; i <= last; i++) {
        sum = 0;
        for (k = i - half; k <= i + half; k++) {
            if (k < 0) sum += 2 * path[0] - path[minOf(-k, last)];
            else if (k > last) sum += 2 * path[last] - path[maxOf(2 * last - k, 0)];
            else sum += path[k];
        }
        result[i] = sum / (2 * half + 1);
    }
    return result;
}
