// Scale the active stack to a number of voxels: bicubic in a slice, averaging where it becomes smaller.
// Options: width=PIXELS height=PIXELS depth=SLICES labels=false   (left out: as now; labels=true: nearest voxel)
// Works on the active stack; without options it makes the voxels isotropic.

requires("1.53t");
arg = getArgument();
getVoxelSize(dx, dy, dz, unit);
edge = minOf(dx, minOf(dy, dz));
width = round(getWidth() * dx / edge);
height = round(getHeight() * dy / edge);
depth = round(nSlices * dz / edge);
nearest = false;
if (arg != "") {
    width = parseFloat(call("ij.Macro.getValue", arg, "width", "" + getWidth()));
    height = parseFloat(call("ij.Macro.getValue", arg, "height", "" + getHeight()));
    depth = parseFloat(call("ij.Macro.getValue", arg, "depth", "" + nSlices));
    if (call("ij.Macro.getValue", arg, "labels", "false") == "true") nearest = true;
}
if (!(width >= 1 && height >= 1 && depth >= 1))
    exit("The result needs at least one voxel along each axis.");

run("Select None");
source = getImageID();
name = getTitle();
how = "interpolation=Bicubic average";
if (nearest) how = "interpolation=None";
options = "x=- y=- z=- width=" + width + " height=" + height + " depth=" + depth + " " + how;
if (nSlices > 1)
    run("Scale...", options + " process create title=scaled");
else
    run("Scale...", options + " create title=scaled");
result = getImageID();
selectImage(source);
close();
selectImage(result);
rename(name);
