// Take a stack on disk through the steps of a recipe (align, decurtain, resample, ...); the recipe names the stack.
// Options: recipe=FILE output=FOLDER report
// The result is opened; with `report`, what the steps did is shown in the browser.

begin("prepare");
Dialog.create("Prepare from Recipe");
Dialog.addFile("Recipe", preset("recipe", ""));
Dialog.addDirectory("Output folder", preset("output", ""));
Dialog.addCheckbox("Report in the browser", presetNumber("report", 1));
Dialog.show();
recipe = Dialog.getString();
output = Dialog.getString();
report = Dialog.getCheckbox();
remember("recipe", recipe);
remember("output", output);
remember("report", report);

needFile(recipe, "recipe");
needFolder(output);
told = done("prepare", "input:recipe=" + recipe + "\noutput=" + output);
open(answered(told, "result"));
if (report) browse(answered(told, "report"));
