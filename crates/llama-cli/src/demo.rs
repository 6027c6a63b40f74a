//! The model that is built into the program, so that a first answer needs no download.

use crate::ui;

/// The GGUF image; `assets/README.md` tells where it is from.
pub(crate) static IMAGE: &[u8] = include_bytes!("../assets/demo-q8_0.gguf");

/// For `--version`.
pub(crate) const DESCRIPTION: &str = "demo-q8_0, 3.5 M parameters, built in (weights: CC0-1.0)";

/// Says that the demo model is in use, and how to choose another.
pub(crate) fn notice() {
    ui::note("Using the built-in demo model (3.5 M parameters). It is only a toy: choose a real model with -m FILE.");
}
