// Take streaks along y out of the active stack: a notch in the Fourier transform of each slice.
// Options: width=1 keep=12
//   width  rows to each side of the middle row of the transform that are taken out
//   keep   columns to each side of its centre that stay: what is wider along x than the slice's width / keep
// Works on the active stack; without options it asks. Slices are mirrored to a power of two, so that borders meet.

requires("1.53t");
arg = getArgument();
if (arg == "") {
    Dialog.create("Decurtain");
    Dialog.addNumber("Width of the notch", 1, 0, 6, "Fourier pixels");
    Dialog.addNumber("Keep the innermost", 12, 0, 6, "Fourier pixels");
    Dialog.show();
    notch = Dialog.getNumber();
    inner = Dialog.getNumber();
} else {
    notch = parseFloat(call("ij.Macro.getValue", arg, "width", "1"));
    inner = parseFloat(call("ij.Macro.getValue", arg, "keep", "12"));
}
if (isNaN(notch) || notch < 0 || isNaN(inner) || inner < 1)
    exit("The notch needs a width of 0 or more, and 1 or more columns to keep.");

setBatchMode(true);
source = getImageID();
run("Select None");
width = getWidth();
height = getHeight();
depth = bitDepth();
side = 32;
while (side < maxOf(width, height)) side *= 2;
padX = floor((side - width) / 2);
padY = floor((side - height) / 2);
count = nSlices;
for (z = 1; z <= count; z++) {
    selectImage(source);
    if (count > 1) setSlice(z);
    run("Duplicate...", "title=slice");
    run("32-bit");
    slice = getImageID();
    square = mirrored(slice);
    clean = notched(square);
    selectImage(clean);
    makeRectangle(padX, padY, width, height);
    run("Crop");
    // Whole grey levels: ImageJ cuts off what follows the point.
    if (depth != 32) run("Add...", "value=0.5");
    setMinAndMax(0, pow(2, minOf(depth, 16)) - 1);
    if (depth == 8) { setOption("ScaleConversions", false); run("8-bit"); }
    if (depth == 16) { setOption("ScaleConversions", false); run("16-bit"); }
    run("Select All");
    run("Copy");
    close();
    selectImage(source);
    if (count > 1) setSlice(z);
    run("Select All");
    run("Paste");
    run("Select None");
    selectImage(slice);
    close();
    showProgress(z, count);
}
selectImage(source);
if (count > 1) setSlice(1);
setOption("ScaleConversions", true);

// The slice in the middle of a square, its borders mirrored outwards.
function mirrored(slice) {
    newImage("square", "32-bit black", side, side, 1);
    square = getImageID();
    for (row = -1; row <= 1; row++) {
        for (column = -1; column <= 1; column++) {
            selectImage(slice);
            run("Duplicate...", "title=part");
            if (column != 0) run("Flip Horizontally");
            if (row != 0) run("Flip Vertically");
            run("Select All");
            run("Copy");
            close();
            selectImage(square);
            pasteAt(padX + column * width, padY + row * height);
        }
    }
    run("Select None");
    return square;
}

// Pasting moves what would lie outside: cut the clipboard's part to what the square holds.
function pasteAt(x, y) {
    if (x >= side || y >= side || x + width <= 0 || y + height <= 0) return;
    newImage("clip", "32-bit black", width, height, 1);
    run("Paste");
    x0 = maxOf(0, -x);
    y0 = maxOf(0, -y);
    wide = minOf(width, side - x) - x0;
    high = minOf(height, side - y) - y0;
    makeRectangle(x0, y0, wide, high);
    run("Copy");
    close();
    selectImage(square);
    makeRectangle(x + x0, y + y0, wide, high);
    run("Paste");
}

// The square without the streaks' part of its transform.
function notched(square) {
    selectImage(square);
    run("FFT");
    transform = getImageID();
    setForegroundColor(0, 0, 0);
    setColor(0);
    reach = side / 2 - inner;
    fillRect(0, side / 2 - notch, reach, 2 * notch + 1);
    fillRect(side / 2 + inner + 1, side / 2 - notch, reach, 2 * notch + 1);
    run("Inverse FFT");
    result = getImageID();
    selectImage(transform);
    close();
    selectImage(square);
    close();
    return result;
}
