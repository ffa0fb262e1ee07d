//! A link as a QR code, for a customer who stands at the desk or holds a telephone before a screen.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

use crate::domain::relink::Picture;

/// Light squares around the code (ISO/IEC 18004 asks for four).
const MARGIN: usize = 4;

/// `None`: the text is too long for one.
pub fn of(text: &str) -> Option<Picture> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let colors = code.into_colors();
    let mut path = String::new();
    for (row, squares) in colors.chunks(width).enumerate() {
        let mut at = 0;
        for run in squares.chunk_by(|one, other| one == other) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, length) = (at + MARGIN, row + MARGIN, run.len());
                // Writing into a string never fails.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
            at += run.len();
        }
    }
    Some(Picture { width: width + 2 * MARGIN, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark squares of a path, counted.
    fn dark(path: &str) -> usize {
        path.split('h')
            .skip(1)
            .step_by(2)
            .filter_map(|rest| rest.split('v').next()?.parse::<usize>().ok())
            .sum()
    }

    #[test]
    fn all_dark_squares_are_drawn_within_the_margin() {
        let text = "https://regrant.example/relink/0123456789012345678901234567890123456789012";
        let picture = of(text).expect("it fits");
        let code = QrCode::with_error_correction_level(text, EcLevel::M).expect("it fits");
        assert_eq!(picture.width, code.width() + 8);
        let colors = code.into_colors();
        assert_eq!(
            dark(&picture.path),
            colors.iter().filter(|color| **color == Color::Dark).count()
        );
        assert!(picture.path.starts_with("M4 4h7v1h-7z"), "the corner of the first mark");
        assert_eq!(of(&"x".repeat(4000)), None);
    }
}
