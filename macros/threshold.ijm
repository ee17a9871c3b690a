// Mark the voxels of a stack that are brighter than one grey value; the mask replaces the stack (255 = bright).
// Arguments: method=Otsu        any of ImageJ's automatic methods, on the histogram of the whole stack
//            method=fixed lower=128    bright from this grey value on
// Returns the first bright grey value.

// ImageJ before 1.54 takes no array that a function makes as an argument.
automatic = getList("threshold.methods");
methods = Array.concat("fixed", automatic);
arg = getArgument();
if (arg == "") {
	Dialog.create("Threshold");
	Dialog.addChoice("Method", methods, "Otsu");
	Dialog.addNumber("Bright from (method \"fixed\" only)", 128);
	Dialog.show();
	method = Dialog.getChoice();
	first = Dialog.getNumber();
} else {
	method = call("ij.Macro.getValue", arg, "method", "Otsu");
	first = parseFloat(call("ij.Macro.getValue", arg, "lower", "128"));
}
method = known(method);
setOption("BlackBackground", true);
if (method == "fixed") {
	// Above what a float can hold: no voxel is too bright.
	setThreshold(first, 3.5e38);
} else {
	// A method that finds nothing says so in the Log window and leaves all but the darkest grey value bright.
	setAutoThreshold(method + " dark stack");
	getThreshold(first, last);
	version = getVersion();
	version = substring(version, indexOf(version, "/") + 1);
	if (method == "Otsu" && version < "1.54g") {
		first = lowestAlike(first);
		setThreshold(first, 3.5e38);
	}
}
if (nSlices > 1)
	run("Convert to Mask", "background=Dark black");
else
	run("Convert to Mask");
return "" + first;

// ImageJ's own spelling of a method's name.
function known(method) {
	for (i = 0; i < methods.length; i++)
		if (toLowerCase(methods[i]) == toLowerCase(method)) return methods[i];
	exit("There is no threshold method " + method + "; choose one of " + String.join(methods, ", ") + ".");
}

// Between two peaks with nothing in between every threshold is as good to Otsu: ImageJ gives the lowest of them, but
// the highest before 1.54g.
function lowestAlike(first) {
	if (nSlices > 1) Stack.getStatistics(voxels, mean, min, max, spread, counts);
	else {
		getStatistics(area, mean, min, max);
		getHistogram(greys, counts, 256);
	}
	if (max == min) return first;
	if (bitDepth() == 8) { min = 0; max = 255; }
	// ImageJ's own scale: 255 steps from the least to the greatest grey value, whatever the width of the bins.
	bin = maxOf(0, round((first - min) / (max - min) * 255) - 1);
	if (counts[bin] > 0) return first;
	while (counts[bin] == 0) bin--;
	first = min + (bin + 1) / 255 * (max - min);
	if (bitDepth() != 32) first = round(first);
	return first;
}
