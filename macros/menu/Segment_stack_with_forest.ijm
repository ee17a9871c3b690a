// Label every voxel of the active stack by a random forest: one trained on the regions in the ROI Manager, or a saved one.
// Options: model=painted|saved trees=NUMBER file=FILE keep
//   file  of a saved model; with `keep`, the file that a newly trained one is saved to

begin("segment");
needGrey();
Dialog.create("Segment Stack with Forest");
Dialog.addChoice("Model", newArray("painted", "saved"), preset("model", "painted"));
Dialog.addNumber("Trees", presetNumber("trees", 60), 0, 6, "(painted: trained on the ROI Manager's regions)");
Dialog.addFile("File of the model", preset("file", ""));
Dialog.addCheckbox("Keep the trained model in this file", presetNumber("keep", 0));
Dialog.show();
model = Dialog.getChoice();
trees = Dialog.getNumber();
file = Dialog.getString();
keep = Dialog.getCheckbox();
remember("model", model);
remember("trees", trees);
remember("file", file);
remember("keep", keep);

if (model == "saved") needFile(file, "model");
if (model == "painted" && keep && file == "") fail("The model has no file to be kept in; name one.");
source = getImageID();
stack = keptStack(source);
if (model == "painted") {
    if (keep == false) file = inboxFile(".fbforest");
    labels = savedRegions();
    told = done("train", "input:volume=" + stack + "\ninput:labels=" + labels + "\noutput=" + file + "\ntrees=" + trees);
    gone = File.delete(labels);
}
output = inboxFile(".tif");
told = done("predict", "input:volume=" + stack + "\ninput:model=" + file + "\noutput=" + output);
if (model == "painted" && keep == false) gone = File.delete(file);
image = shown(output, source, "segmented");
colourLabels();
