//! The two sets of rules: what each accepts, and how each turns any text into a name.

use super::error::{NameError, NameFault};

/// What [`NameRules::sanitise`] gives when nothing of the input can be kept.
const FALLBACK: &str = "session";

/// A set of rules for names: one of the presets [`NameRules::SLUG`] and [`NameRules::LABEL`].
///
/// Both are ASCII, so a length in bytes is also a length in characters. Neither refuses text in the
/// form of an id; [`SessionName`](super::SessionName) does.
///
/// ```
/// use session_core::{NameFault, NameRules};
///
/// assert!(NameRules::SLUG.validate("cedar-7f2a").is_ok());
/// let error = NameRules::SLUG.validate("Night build").unwrap_err();
/// assert!(matches!(error.fault(), NameFault::Character { at: 0, character: 'N', .. }));
/// assert_eq!(error.suggestion(), Some("night-build"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameRules {
    pub(super) preset: Preset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Preset {
    Slug,
    Label,
}

impl NameRules {
    /// The names of roles, as tkt has them: `a-z`, `0-9` and `-`, 1 to 32 bytes, with no hyphen at
    /// either end and no two in a row.
    pub const SLUG: Self = Self { preset: Preset::Slug };

    /// The names of live sessions, as ctm has them: `A-Z`, `a-z`, `0-9`, `-` and `_`, 1 to 100
    /// bytes, beginning with a letter or digit. Case counts, and runs and a trailing `-` or `_` are
    /// allowed.
    pub const LABEL: Self = Self { preset: Preset::Label };

    /// The greatest length of a name, in bytes.
    pub const fn max_bytes(self) -> usize {
        match self.preset {
            Preset::Slug => 32,
            Preset::Label => 100,
        }
    }

    /// Accepts `input` as it is or says which rule it breaks; nothing is trimmed or normalised.
    ///
    /// # Errors
    ///
    /// The first fault in this order: [`Empty`](NameFault::Empty), [`TooLong`](NameFault::TooLong),
    /// [`DoubleHyphen`](NameFault::DoubleHyphen) (`SLUG` only),
    /// [`Character`](NameFault::Character), [`Edge`](NameFault::Edge) (the beginning; for `SLUG`,
    /// then the end).
    pub fn validate(&self, input: &str) -> Result<(), NameError> {
        match self.fault(input) {
            Some(fault) => Err(NameError::new(input, fault, || self.sanitise(input).into())),
            None => Ok(()),
        }
    }

    /// Makes a name of any text.
    ///
    /// The result always validates, and a text that validates comes back unchanged; so sanitising
    /// twice is sanitising once. Different texts may give the same name.
    ///
    /// - `LABEL`: each character outside the set becomes one `-`; the `-` and `_` at the beginning
    ///   go; the rest is cut to 100 bytes. As ctm does it.
    /// - `SLUG`: ASCII letters become lower case, each run of hyphens and characters outside the
    ///   set becomes one `-`, the hyphens at both ends go, the rest is cut to 32 bytes, and a
    ///   hyphen that the cut left at the end goes too.
    ///
    /// A text of which nothing is left becomes `session`.
    pub fn sanitise(&self, input: &str) -> String {
        let name = match self.preset {
            Preset::Slug => self.sanitise_slug(input),
            Preset::Label => input
                .chars()
                .map(|character| if self.allows(character) { character } else { '-' })
                .skip_while(|character| !character.is_ascii_alphanumeric())
                .take(self.max_bytes())
                .collect(),
        };
        if name.is_empty() { FALLBACK.to_owned() } else { name }
    }

    /// The first rule that `input` breaks, in the order that [`NameRules::validate`] promises.
    pub(super) fn fault(self, input: &str) -> Option<NameFault> {
        if input.is_empty() {
            return Some(NameFault::Empty);
        }
        if input.len() > self.max_bytes() {
            return Some(NameFault::TooLong { bytes: input.len(), limit: self.max_bytes() });
        }
        if self.preset == Preset::Slug
            && let Some(at) = input.find("--")
        {
            return Some(NameFault::DoubleHyphen { at });
        }
        let stray = input.char_indices().find(|&(_, character)| !self.allows(character));
        if let Some((at, character)) = stray {
            return Some(NameFault::Character { at, character, allowed: self.allowed() });
        }
        let first = input.char_indices().next();
        let last = match self.preset {
            Preset::Slug => input.char_indices().next_back(),
            Preset::Label => None,
        };
        let (at, character) = first
            .into_iter()
            .chain(last)
            .find(|(_, character)| !character.is_ascii_alphanumeric())?;
        Some(NameFault::Edge { at, character })
    }

    fn allows(self, character: char) -> bool {
        match self.preset {
            Preset::Slug => matches!(character, 'a'..='z' | '0'..='9' | '-'),
            Preset::Label => character.is_ascii_alphanumeric() || matches!(character, '-' | '_'),
        }
    }

    fn allowed(self) -> &'static str {
        match self.preset {
            Preset::Slug => "a-z, 0-9 and '-'",
            Preset::Label => "A-Z, a-z, 0-9, '-' and '_'",
        }
    }

    fn sanitise_slug(self, input: &str) -> String {
        let mut slug = String::new();
        for character in input.chars().map(|character| character.to_ascii_lowercase()) {
            // Stopping here rather than cutting later keeps the work bounded for a long input.
            if slug.len() == self.max_bytes() {
                break;
            }
            if character != '-' && self.allows(character) {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        if slug.ends_with('-') {
            slug.pop();
        }
        slug
    }
}
