// Tell where two segmentations of the same size differ: an image of -1, 0 and 1, and a table of agreement.
// Options: first=TITLE second=TITLE class=auto|VALUE
//   class  the value whose voxels are subtracted; auto: 1 (active material) in label images, 255 in masks
// The image is 1 (orange) where only the first has the class, -1 (blue) where only the second has it. The table has a
// row for each value: voxels, volume fractions, Dice and IoU; and the share of voxels on which both agree (accuracy).
// All in ImageJ, without the service.

begin("compare");
if (nImages < 2) fail("Comparing needs two segmentations; open both.");
titles = getList("image.titles");
Dialog.create("Compare Two Segmentations");
// The last two: what was segmented lies before them.
Dialog.addChoice("First", titles, titles[titles.length - 2]);
Dialog.addChoice("Second", titles, titles[titles.length - 1]);
Dialog.addString("Class", preset("class", "auto"));
Dialog.show();
first = Dialog.getChoice();
second = Dialog.getChoice();
class = Dialog.getString();
remember("class", class);

setBatchMode(true);
one = asBytes(first);
two = asBytes(second);
sameSize(one, two);
values = merge(valuesOf(one), valuesOf(two));
if (values.length > 16)
    fail("These are no segmentations: they hold " + values.length + " different values, 16 at most can be compared.");
if (class == "auto") {
    class = values[values.length - 1];
    if (class != 255) class = 1;
}
class = parseFloat(class);
numbered(one, values);
numbered(two, values);
from = stem(first);
taken = stem(second);
difference(one, two, place(values, class), "" + from + "-minus-" + taken);
tell(jointCounts(one, two), values);
display();

// An 8-bit copy with the very values.
function asBytes(title) {
    selectImage(title);
    needGrey();
    id = getImageID();
    copy = copyOf(id, "values");
    range = stackRange();
    if (range[0] < 0 || range[1] > 255)
        fail(title + " is no segmentation: its values go from " + range[0] + " to " + range[1] + ", labels from 0 to 255.");
    setMinAndMax(0, 255);
    if (bitDepth() != 8) run("8-bit");
    return copy;
}

function sameSize(one, two) {
    selectImage(one);
    wide = getWidth();
    high = getHeight();
    deep = nSlices;
    selectImage(two);
    if (wide != getWidth() || high != getHeight() || deep != nSlices)
        fail("The segmentations differ in size (" + wide + " x " + high + " x " + deep + " and " + getWidth() + " x " + getHeight() + " x " + nSlices + "); crop or resample one.");
}

// How often each value from 0 to 255 is there.
function histogramOf(image) {
    selectImage(image);
    counts = newArray(256);
    for (z = 1; z <= nSlices; z++) {
        if (nSlices > 1) setSlice(z);
        getHistogram(greys, found, 256);
        for (i = 0; i < 256; i++) counts[i] += found[i];
    }
    return counts;
}

function valuesOf(image) {
    counts = histogramOf(image);
    values = newArray(0);
    for (i = 0; i < 256; i++)
        if (counts[i] > 0) values = Array.concat(values, i);
    return values;
}

function merge(some, others) {
    there = newArray(256);
    for (i = 0; i < some.length; i++) there[some[i]] = 1;
    for (i = 0; i < others.length; i++) there[others[i]] = 1;
    values = newArray(0);
    for (i = 0; i < 256; i++)
        if (there[i]) values = Array.concat(values, i);
    return values;
}

function place(values, value) {
    for (i = 0; i < values.length; i++)
        if (values[i] == value) return i;
    fail("Neither segmentation holds the class " + value + "; choose one of the values in the images.");
}

// Put each value's number among all values in its place; upwards, so that no value is met twice.
function numbered(image, values) {
    selectImage(image);
    for (z = 1; z <= nSlices; z++) {
        if (nSlices > 1) setSlice(z);
        for (i = 0; i < values.length; i++)
            if (values[i] != i) changeValues(values[i], values[i], i);
    }
}

// 1 where only the first has the class, -1 where only the second has it.
function difference(one, two, number, title) {
    plus = only(one, number);
    minus = only(two, number);
    imageCalculator("Subtract stack", plus, minus);
    selectImage(minus);
    close();
    selectImage(plus);
    rename(title);
    reds = newArray(256);
    greens = newArray(256);
    blues = newArray(256);
    for (i = 0; i < 256; i++) {
        if (i < 85) { greens[i] = 114; blues[i] = 178; }
        else if (i > 170) { reds[i] = 230; greens[i] = 159; }
        else { reds[i] = 20; greens[i] = 20; blues[i] = 20; }
    }
    setLut(reds, greens, blues);
    setMinAndMax(-1, 1);
}

// 32-bit: 1 where the copy has the number, else 0.
function only(image, number) {
    mask = copyOf(image, "class");
    for (z = 1; z <= nSlices; z++) {
        if (nSlices > 1) setSlice(z);
        changeValues(number, number, 255);
        changeValues(0, 254, 0);
        changeValues(255, 255, 1);
    }
    if (nSlices > 1) setSlice(1);
    setMinAndMax(0, 255);
    run("32-bit");
    return mask;
}

// Voxels with number i in the first and k in the second, at 16 i + k; the copies are used up.
function jointCounts(one, two) {
    selectImage(one);
    if (nSlices > 1) run("Multiply...", "value=16 stack");
    else run("Multiply...", "value=16");
    imageCalculator("Add stack", one, two);
    counts = histogramOf(one);
    selectImage(one);
    close();
    selectImage(two);
    close();
    return counts;
}

function tell(counts, values) {
    name = "Agreement of segmentations";
    Table.create(name);
    all = 0;
    same = 0;
    for (i = 0; i < 256; i++) all += counts[i];
    for (i = 0; i < values.length; i++) same += counts[17 * i];
    for (i = 0; i < values.length; i++) {
        inFirst = 0;
        inSecond = 0;
        for (k = 0; k < values.length; k++) {
            inFirst += counts[16 * i + k];
            inSecond += counts[16 * k + i];
        }
        both = counts[17 * i];
        Table.set("class", i, values[i]);
        Table.set("voxels in first", i, inFirst);
        Table.set("voxels in second", i, inSecond);
        Table.set("first %", i, 100 * inFirst / all);
        Table.set("second %", i, 100 * inSecond / all);
        Table.set("Dice", i, 2 * both / (inFirst + inSecond));
        Table.set("IoU", i, both / (inFirst + inSecond - both));
        Table.set("accuracy %", i, 100 * same / all);
    }
    Table.update;
}
