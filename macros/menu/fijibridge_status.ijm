// Tell whether the fijibridge service runs, what it is at and where its page is.
// Options: action=show|page|stop   page: open it in the browser; stop: end the service (the next command starts it)
// Returns what it tells.

begin("status");
Dialog.create("fijibridge Status");
Dialog.addChoice("Action", newArray("show", "page", "stop"), "show");
Dialog.show();
action = Dialog.getChoice();

told = ask("status");
if (action == "stop") told = ask("stop");
page = answered(told, "page");
if (action == "page") {
    if (page == "") fail("The service does not run, so that there is no page; run any command, which starts it.");
    call("ij.plugin.BrowserLauncher.openURL", page);
}
lines = split(told, "\n");
said = "";
for (i = 0; i < lines.length; i++)
    // The page's address holds the key to the service: not for a log that people send around.
    if (startsWith(lines[i], "page=") == false) said = said + replace(plain(lines[i]), "=", ": ") + "\n";
if (inBatch) print(said);
else showMessage("fijibridge", said);
return said;
