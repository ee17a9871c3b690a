// Move the slices of the active stack so that they fit each other; the stack itself stays as it is.
// Options: trend=keep|remove|template model=translation|rigid|affine largest=PIXELS slow=SLICES
//   keep      takes out jitter and jumps, keeps what changes over more than `slow` slices
//   remove    takes out all movement
//   template  takes out all movement of the rectangle that is selected (protective cap, trench edge, fiducial)
//   largest   shift from slice to slice; 0: a quarter of the slice

begin("align");
needGrey();
Dialog.create("Align FIB-SEM Stack");
Dialog.addChoice("Trend", newArray("keep", "remove", "template"), preset("trend", "keep"));
Dialog.addChoice("Model", newArray("translation", "rigid", "affine"), preset("model", "translation"));
Dialog.addNumber("Largest shift from slice to slice", presetNumber("largest", 0), 0, 6, "pixels (0: a quarter of the slice)");
Dialog.addNumber("Slow is what takes more than", presetNumber("slow", 30), 0, 6, "slices");
Dialog.addMessage("keep: take out jitter and jumps.  remove: take out all movement.\ntemplate: take out all movement of the rectangle that is selected.");
Dialog.show();
trend = Dialog.getChoice();
model = Dialog.getChoice();
largest = Dialog.getNumber();
slow = Dialog.getNumber();
remember("trend", trend);
remember("model", model);
remember("largest", largest);
remember("slow", slow);

words = "trend=" + trend + "\nmodel=" + model + "\nslow_slices=" + slow;
if (largest > 0) words = words + "\nmax_shift=" + largest;
if (trend == "template") {
    if (selectionType() != 0)
        fail("The trend \"template\" needs a rectangle around something that does not move; select one first.");
    getSelectionBounds(left, top, wide, high);
    words = words + "\nregion=[" + top + "," + (top + high) + "," + left + "," + (left + wide) + "]";
}
source = getImageID();
result = treated(source, "align", words);
image = shown(result, source, "aligned");
likeGrey(source, image);
