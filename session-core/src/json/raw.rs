//! A JSON value that is passed on, not understood.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Some JSON value as its text, kept byte for byte but for line breaks between its tokens, which become spaces: a
/// record stays on one line of a JSONL file.
///
/// Two of them are equal when their texts are.
#[derive(Clone)]
pub struct RawJson(Box<RawValue>);

/// A text that is not one JSON value.
#[derive(Debug, thiserror::Error)]
#[error("that is not JSON")]
pub struct RawJsonError(#[source] serde_json::Error);

impl RawJson {
    /// Reads one JSON value, with nothing but white space around it.
    ///
    /// # Errors
    /// [`RawJsonError`], which says what is wrong where, for anything else.
    pub fn parse(text: &str) -> Result<Self, RawJsonError> {
        serde_json::from_str(text).map_err(RawJsonError)
    }

    /// The value of anything that has a JSON form, on one line too.
    ///
    /// # Errors
    /// [`RawJsonError`] when it has none, as a map whose keys are no text.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, RawJsonError> {
        // What serialises itself as raw text may bring line breaks of its own.
        serde_json::value::to_raw_value(value).map(on_one_line).map(Self).map_err(RawJsonError)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(on_one_line).map(Self)
    }
}

/// Line breaks of valid JSON stand between tokens only; inside strings they are escaped.
fn on_one_line(value: Box<RawValue>) -> Box<RawValue> {
    let bytes = value.get().as_bytes();
    if !bytes.contains(&b'\n') && !bytes.contains(&b'\r') {
        return value;
    }
    RawValue::from_string(value.get().replace(['\n', '\r'], " ")).unwrap_or(value)
}
