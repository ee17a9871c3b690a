// Mark the voxels of a stack that are brighter than one grey value; the mask replaces the stack (255 = bright).
// Arguments: method=Otsu        any of ImageJ's automatic methods, on the histogram of the whole stack
//            method=fixed lower=128    bright from this grey value on
// Returns the first bright grey value.

arg = getArgument();
if (arg == "") {
	methods = Array.concat("fixed", getList("threshold.methods"));
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
setOption("BlackBackground", true);
if (method == "fixed") {
	// Above what a float can hold: no voxel is too bright.
	setThreshold(first, 3.5e38);
} else {
	// A method that finds nothing says so in the Log window and leaves all but the darkest grey value bright.
	setAutoThreshold(method + " dark stack");
	getThreshold(first, last);
}
if (nSlices > 1)
	run("Convert to Mask", "background=Dark black");
else
	run("Convert to Mask");
return "" + first;
