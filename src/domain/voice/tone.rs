//! How a sentence is meant, for the sign that stands before it.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Well,
    /// To be known, though nothing is wrong yet; or neither well nor ill.
    Unsure,
    Ill,
}
