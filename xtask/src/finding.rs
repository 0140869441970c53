//! A complaint about one place in the tree, printed the way editors and terminals can follow.

use std::fmt;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the workspace, with forward slashes.
    pub path: String,
    /// Line, counted from 1; 0 when the complaint is about the file as a whole.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Finding {
    /// Makes a finding at a line, counted from 1.
    pub fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }

    /// Makes a finding about a whole file.
    pub fn about(path: &str, message: impl Into<String>) -> Self {
        Self::at(path, 0, message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Line 0 is printed as 1: what follows `file:line` opens the file either way.
        write!(f, "{}:{}: {}", self.path, self.line.max(1), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::Finding;

    #[test]
    fn is_printed_as_file_line_message() {
        assert_eq!(Finding::at("a/b.rs", 7, "no").to_string(), "a/b.rs:7: no");
        assert_eq!(Finding::about("a/b.rs", "no").to_string(), "a/b.rs:1: no");
    }
}
