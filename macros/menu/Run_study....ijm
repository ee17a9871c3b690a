// Segment volumes by every method of a study for every user, and report how far users and methods differ.
// Options: study=FILE output=FOLDER report   (no study: two small simulated cathodes)
// The report is shown in the browser.

begin("study");
Dialog.create("Run Study");
Dialog.addFile("Study", preset("study", ""));
Dialog.addDirectory("Output folder", preset("output", ""));
Dialog.addCheckbox("Report in the browser", presetNumber("report", 1));
Dialog.addMessage("Without a study file, two small simulated cathodes are studied.");
Dialog.show();
study = Dialog.getString();
output = Dialog.getString();
report = Dialog.getCheckbox();
remember("study", study);
remember("output", output);
remember("report", report);

needFolder(output);
words = "output=" + output;
if (study != "") {
    needFile(study, "study");
    words = words + "\ninput:study=" + study;
}
told = done("study", words);
made = answered(told, "report");
print("fijibridge: report of the study: " + made);
if (report) browse(made);
