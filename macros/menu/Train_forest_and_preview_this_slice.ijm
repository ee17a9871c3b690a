// Train a random forest on the regions in the ROI Manager and show how it labels the slice in view.
// Options: trees=NUMBER show=overlay|image
// The class of a region is its group (1 = active material, 2 = pore and binder) or the number that its name begins with.
// The stack and its features stay ready in the service: after the first time a preview takes about a second.

begin("preview");
needGrey();
Dialog.create("Train Forest and Preview");
Dialog.addNumber("Trees", presetNumber("trees", 60), 0, 6, "");
Dialog.addChoice("Show", newArray("overlay", "image"), preset("show", "overlay"));
Dialog.show();
trees = Dialog.getNumber();
show = Dialog.getChoice();
remember("trees", trees);
remember("show", show);
preview(trees, show);
