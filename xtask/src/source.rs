//! Splits Rust source into code and comments, line by line, so that a rule about one of them does
//! not trip over the other, nor over a string that mentions it.

/// One line of a Rust file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The code of the line. Of strings and character literals only the quotes are left.
    pub code: String,
    /// The comments of the line, with their slashes.
    pub comment: String,
    /// Whether the line is inside an item marked `#[cfg(test)]`.
    pub in_test_item: bool,
}

impl Line {
    /// The text of a documentation comment, without its slashes, if this line is one.
    pub fn doc(&self) -> Option<&str> {
        let doc = self.comment.strip_prefix("///").or_else(|| self.comment.strip_prefix("//!"))?;
        Some(doc.trim())
    }
}

/// Splits a file into its lines.
pub fn split(text: &str) -> Vec<Line> {
    let mut state = State::Code;
    let mut lines: Vec<Line> = text.lines().map(|line| split_line(line, &mut state)).collect();
    mark_test_items(&mut lines);
    lines
}

/// What the end of one line leaves open for the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Comment { depth: usize },
    Text,
    RawText { hashes: usize },
}

fn split_line(line: &str, state: &mut State) -> Line {
    let mut out = Line::default();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let taken = match *state {
            State::Code if rest.starts_with("//") => {
                out.comment.push_str(rest);
                rest.len()
            }
            State::Code if rest.starts_with("/*") => {
                *state = State::Comment { depth: 1 };
                out.comment.push_str("/*");
                2
            }
            State::Code if first == '"' => {
                *state =
                    raw_prefix(&out.code).map_or(State::Text, |n| State::RawText { hashes: n });
                out.code.push('"');
                1
            }
            State::Code if first == '\'' => {
                out.code.push('\'');
                character(rest).unwrap_or(1)
            }
            State::Code => {
                out.code.push(first);
                first.len_utf8()
            }
            State::Comment { depth } => {
                let (taken, depth) = match &rest.as_bytes()[..rest.len().min(2)] {
                    b"/*" => (2, depth + 1),
                    b"*/" => (2, depth - 1),
                    _ => (first.len_utf8(), depth),
                };
                *state = if depth == 0 { State::Code } else { State::Comment { depth } };
                out.comment.push_str(&rest[..taken]);
                taken
            }
            State::Text if first == '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            State::Text if first == '"' => {
                *state = State::Code;
                out.code.push('"');
                1
            }
            State::RawText { hashes }
                if first == '"' && rest[1..].starts_with(&"#".repeat(hashes)) =>
            {
                *state = State::Code;
                out.code.push('"');
                1 + hashes
            }
            State::Text | State::RawText { .. } => first.len_utf8(),
        };
        rest = &rest[taken..];
    }
    out
}

/// The number of hashes, if the code just before a quote makes it a raw string.
fn raw_prefix(code: &str) -> Option<usize> {
    let bare = code.trim_end_matches('#');
    let before = bare.strip_suffix('r')?;
    let before = before.strip_suffix(['b', 'c']).unwrap_or(before);
    let part_of_a_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    (!part_of_a_name).then_some(code.len() - bare.len())
}

/// The length of a character literal at the start of the text; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let mut inner = text.char_indices().skip(1);
    match inner.next()? {
        (_, '\\') => inner.skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
        _ => inner.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
    }
}

/// Marks what `#[cfg(test)]` covers. The extent comes from indentation, which rustfmt guarantees.
fn mark_test_items(lines: &mut [Line]) {
    let mut at = 0;
    while at < lines.len() {
        let attribute = lines[at].code.trim();
        if !attribute.starts_with("#[cfg(test)]") && !attribute.starts_with("#[cfg(all(test") {
            at += 1;
            continue;
        }
        let indent = indentation(&lines[at].code);
        let item = at + 1;
        let ends = |line: &Line| {
            let code = line.code.trim_end();
            !code.is_empty()
                && indentation(code) == indent
                && (code.trim().starts_with('}') || code.ends_with([';', '}']))
        };
        let end = lines.iter().skip(item).position(ends).map_or(lines.len(), |n| item + n + 1);
        lines[at..end].iter_mut().for_each(|line| line.in_test_item = true);
        at = end;
    }
}

fn indentation(code: &str) -> usize {
    code.len() - code.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::split;

    fn check(source: &str, code: &str, comment: &str) {
        let lines = split(source);
        let joined: Vec<_> = lines.iter().map(|line| line.code.trim_end()).collect();
        assert_eq!(joined.join("\n"), code, "code of {source:?}");
        let joined: Vec<_> = lines.iter().map(|line| line.comment.as_str()).collect();
        assert_eq!(joined.join("\n"), comment, "comments of {source:?}");
    }

    #[test]
    fn comments_and_strings_are_taken_out_of_code() {
        check("a(); // b", "a();", "// b");
        check("a /* b /* c */ d */ e", "a  e", "/* b /* c */ d */");
        check("/* a\nb */ c", "\n c", "/* a\nb */");
        check(r#"f("a // b \" c"); d"#, r#"f(""); d"#, "");
        check("f(r\"a\\\"); d", "f(r\"\"); d", "");
        check("f(br##\"a\"# // b\"##); d", "f(br##\"\"); d", "");
        check("f(\"a\nb\"); c", "f(\"\n\"); c", "\n");
        check("let color\"a\"", "let color\"\"", "");
    }

    #[test]
    fn a_character_is_a_literal_and_a_lifetime_is_not() {
        check("f('\"'); // a", "f('); // a".trim_end_matches(" // a"), "// a");
        check(r"f('\'', '\\', '\u{22}', b'x'); g", "f(', ', ', b'); g", "");
        check("fn f<'a>(x: &'a str) {} // b", "fn f<'a>(x: &'a str) {}", "// b");
    }

    #[test]
    fn documentation_is_told_from_comments() {
        let doc = |source| split(source)[0].doc().map(str::to_owned);
        assert_eq!(doc("/// a"), Some("a".into()));
        assert_eq!(doc("//! a"), Some("a".into()));
        assert_eq!(doc("// a"), None);
    }

    #[test]
    fn test_items_end_where_their_indentation_does() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n\
                      #[cfg(test)]\nuse d;\nfn e() {}\n";
        let marked: Vec<_> = split(source).iter().map(|line| line.in_test_item).collect();
        assert_eq!(
            marked,
            [false, true, true, true, true, true, false, true, true, false],
            "the module and the import, nothing else"
        );
    }
}
