// Take the streaks out that ion milling leaves along y ("curtains"), slice by slice; the active stack stays as it is.
// Options: method=auto|robust|wavelet_fft strength=SHARE measured angle=DEGREES level=N sigma=PIXELS
//   measured  strength and angle are measured; without it, `strength` and `angle` count

begin("decurtain");
needGrey();
Dialog.create("Decurtain");
Dialog.addChoice("Method", newArray("auto", "robust", "wavelet_fft"), preset("method", "auto"));
Dialog.addCheckbox("Measured strength and angle", presetNumber("measured", 1));
Dialog.addNumber("Strength", presetNumber("strength", 1), 2, 6, "share of the streaks, 0 to 1");
Dialog.addNumber("Angle", presetNumber("angle", 0), 1, 6, "degrees to the y axis, -20 to 20");
Dialog.addNumber("Level", presetNumber("level", 4), 0, 6, "(wavelet_fft)");
Dialog.addNumber("Sigma", presetNumber("sigma", 1), 2, 6, "Fourier pixels (wavelet_fft)");
Dialog.show();
method = Dialog.getChoice();
measured = Dialog.getCheckbox();
strength = Dialog.getNumber();
angle = Dialog.getNumber();
level = Dialog.getNumber();
sigma = Dialog.getNumber();
remember("method", method);
remember("measured", measured);
remember("strength", strength);
remember("angle", angle);
remember("level", level);
remember("sigma", sigma);

words = "method=" + method + "\nlevel=" + level + "\nsigma=" + sigma;
if (!measured) words = words + "\nangle_deg=" + angle;
if (!measured && method != "wavelet_fft") words = words + "\nstrength=" + strength;
source = getImageID();
result = treated(source, "decurtain", words);
image = shown(result, source, "decurtained");
likeGrey(source, image);
