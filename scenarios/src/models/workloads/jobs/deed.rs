//! What workers make of data, known to callers as well: so results can be checked.

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::story::picture;

/// What a worker makes of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The same.
    Echo,
    /// The bytes from the last to the first.
    Reverse,
    /// Capital letters.
    Upper,
    /// A picture, small; nothing of what is no picture.
    Thumbnail,
}

impl Deed {
    /// Reads `does`; the same, if it is missing.
    ///
    /// # Errors
    /// A word that is none.
    pub fn read(fields: &Fields<'_>) -> Checked<Self> {
        let deeds = [
            ("echo", Self::Echo),
            ("reverse", Self::Reverse),
            ("thumbnail", Self::Thumbnail),
            ("upper", Self::Upper),
        ];
        fields.choice("does", &deeds, Some(Self::Echo))
    }

    /// The result.
    pub fn of(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Echo => data.to_vec(),
            Self::Reverse => data.iter().rev().copied().collect(),
            Self::Thumbnail => picture::thumbnail(data).unwrap_or_default(),
            Self::Upper => data.to_ascii_uppercase(),
        }
    }
}
