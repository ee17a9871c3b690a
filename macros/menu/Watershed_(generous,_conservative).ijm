// Segment the active stack by a watershed on the gradient, with seeds from two grey levels.
// Options: seeds=generous|conservative|own low=GREY high=GREY
//   generous, conservative  seeds from Otsu's threshold and the mean grey values of both sides: what lies within 25 %
//                           (75 %) of the way from the threshold to either mean is left to the flooding
//   own                     dark below `low`, bright above `high`
// The result is a mask, 255 = bright.

begin("watershed");
needGrey();
Dialog.create("Watershed");
Dialog.addChoice("Seeds", newArray("generous", "conservative", "own"), preset("seeds", "generous"));
Dialog.addNumber("Low", presetNumber("low", 100), 2, 8, "seeds \"own\": dark below it");
Dialog.addNumber("High", presetNumber("high", 150), 2, 8, "seeds \"own\": bright above it");
Dialog.show();
seeds = Dialog.getChoice();
low = Dialog.getNumber();
high = Dialog.getNumber();
remember("seeds", seeds);
remember("low", low);
remember("high", high);

source = getImageID();
suffix = "watershed";
if (seeds != "own") {
    if (seeds == "generous") { share = 0.25; suffix = "gWS"; }
    else { share = 0.75; suffix = "cWS"; }
    parts = sides(source);
    low = parts[0] - share * (parts[0] - parts[1]);
    high = parts[0] + share * (parts[2] - parts[0]);
}
result = treated(source, "watershed", "low=" + low + "\nhigh=" + high);
image = shown(result, source, suffix);
Property.set("seeds below and above", "" + low + " " + high);

// Otsu's threshold of the stack, and the mean grey value of what is dark and of what is bright.
function sides(image) {
    setBatchMode(true);
    copy = copyOf(image, "grey");
    if (nSlices > 1) Stack.getStatistics(voxels, mean, min, max, spread, counts);
    else {
        getStatistics(area, mean, min, max);
        getHistogram(greys, counts, 256);
    }
    first = parseFloat(engine("threshold.ijm", "method=Otsu"));
    close();
    selectImage(image);
    if (wasBatchMode == false) setBatchMode(false);
    if (bitDepth() != 32) first = first - 1;
    // 8-bit: a bin for each grey level; else 256 from the least to the greatest, told by their middles.
    start = 0;
    size = 1;
    if (bitDepth() != 8) {
        size = (max - min) / counts.length;
        start = min + size / 2;
    }
    dark = newArray(2);
    bright = newArray(2);
    for (i = 0; i < counts.length; i++) {
        grey = start + i * size;
        if (grey <= first) { dark[0] += counts[i]; dark[1] += counts[i] * grey; }
        else { bright[0] += counts[i]; bright[1] += counts[i] * grey; }
    }
    if (dark[0] == 0 || bright[0] == 0) fail("The stack has one grey value; choose the seeds \"own\" with low and high.");
    return newArray(first, dark[1] / dark[0], bright[1] / bright[0]);
}
