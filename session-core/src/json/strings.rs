//! The strings of a JSON value, whatever else is in it.

use std::borrow::Cow;

/// The strings of a valid JSON text in the order in which they stand, the names of members left out, decoded.
///
/// Nothing is built of the value: numbers may be of any size, members may stand twice, and it may be nested as deeply
/// as memory allows. Half of a surrogate pair, which no text can hold, becomes U+FFFD.
pub(crate) fn strings(json: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = json;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find('"')? + 1..];
            let length = length(rest)?;
            let inside = &rest[..length];
            rest = &rest[length + 1..];
            let is_name = rest.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(':');
            if !is_name {
                return Some(decoded(inside));
            }
        }
    })
}

/// How many bytes of a text stand before the quote that ends a string.
fn length(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text.get(at..)?.find(['"', '\\'])?;
        if text.as_bytes()[at] == b'"' {
            return Some(at);
        }
        // What is escaped is ASCII.
        at += 2;
    }
}

/// What stands between the quotes of a string, without its escapes.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut decoded = String::with_capacity(text.len());
    // The first half of a pair, until the second one comes.
    let mut high: Option<u32> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let unit = match character {
            '\\' => match characters.next() {
                Some('u') => hex(&mut characters),
                Some('b') => 0x8,
                Some('f') => 0xc,
                Some('n') => u32::from('\n'),
                Some('r') => u32::from('\r'),
                Some('t') => u32::from('\t'),
                escaped => escaped.map_or(u32::from('\\'), u32::from),
            },
            character => u32::from(character),
        };
        let low = (0xdc00..0xe000).contains(&unit).then_some(unit);
        if let Some(first) = high.take() {
            if let Some(low) = low {
                let pair = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                decoded.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
                continue;
            }
            decoded.push(char::REPLACEMENT_CHARACTER);
        }
        if (0xd800..0xdc00).contains(&unit) {
            high = Some(unit);
        } else {
            decoded.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }
    if high.is_some() {
        decoded.push(char::REPLACEMENT_CHARACTER);
    }
    decoded.into()
}

/// The four hexadecimal digits of an escape.
fn hex(characters: &mut std::str::Chars<'_>) -> u32 {
    characters.by_ref().take(4).fold(0, |unit, digit| unit << 4 | digit.to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::strings;

    fn found(json: &str) -> Vec<String> {
        strings(json).map(String::from).collect()
    }

    #[test]
    fn names_of_members_are_left_out() {
        let json = r#" {"a" : "b", "c":["d",{"e":{}, "f":"g"}], "c":"" ,"h\"":"i:", "j"
            :[":"]} "#;
        assert_eq!(found(json), ["b", "d", "g", "", "i:", ":"]);
        assert_eq!(found(r#""alone""#), ["alone"]);
        assert_eq!(found("[1e400,null,true,{}]"), [""; 0]);
    }

    #[test]
    fn escapes_are_decoded() {
        for (json, text) in [
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\u0041\u00e9\u65e5 é日""#, "Aé日 é日"),
            (r#""\ud83e\uddea""#, "\u{1f9ea}"),
            (r#""a\ud83eb""#, "a\u{fffd}b"),
            (r#""\uddea""#, "\u{fffd}"),
            (r#""\ud83e\ud83e\uddea\ud83e""#, "\u{fffd}\u{1f9ea}\u{fffd}"),
            (r#""\ud83e\n""#, "\u{fffd}\n"),
            (r#""ends \\""#, "ends \\"),
        ] {
            assert_eq!(found(json), [text], "{json}");
        }
    }
}
