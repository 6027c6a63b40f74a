//! How text looks, and the terminal's codes for it.

use std::ops::BitOr;

/// Several at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style(u8);

pub(super) const BOLD: Style = Style(1);
pub(super) const ITALIC: Style = Style(2);
pub(super) const UNDERLINE: Style = Style(4);
pub(super) const STRUCK: Style = Style(8);
pub(super) const DIM: Style = Style(16);
pub(super) const CODE: Style = Style(32);

/// What turns each on.
const CODES: [(Style, &str); 6] =
    [(BOLD, "1"), (ITALIC, "3"), (UNDERLINE, "4"), (STRUCK, "9"), (DIM, "2"), (CODE, "36")];

impl BitOr for Style {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Prints what changes one style into another.
pub(super) fn switch(from: Style, to: Style, out: &mut String) {
    if from == to {
        return;
    }
    out.push_str("\x1b[0");
    for (style, code) in CODES {
        if to.0 & style.0 != 0 {
            out.push(';');
            out.push_str(code);
        }
    }
    out.push('m');
}
