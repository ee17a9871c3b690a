// Smooth a stack in 3-D: Gaussian Blur 3D with the same sigma, in voxels, along x, y and z.
// Arguments: sigma=1.1
// The kernel goes on to where it has fallen to 0.002 (8-bit) or 0.0002 (16-bit, 32-bit) of its peak.

arg = getArgument();
if (arg == "") {
	Dialog.create("Smooth");
	Dialog.addNumber("Sigma", 1.1, 2, 6, "voxels");
	Dialog.show();
	sigma = Dialog.getNumber();
} else {
	sigma = parseFloat(call("ij.Macro.getValue", arg, "sigma", "1.1"));
}
if (isNaN(sigma) || sigma <= 0)
	exit("Sigma must be a number of voxels above 0.");
run("Gaussian Blur 3D...", "x=" + sigma + " y=" + sigma + " z=" + sigma);
