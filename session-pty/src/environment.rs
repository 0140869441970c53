//! An environment as bytes: `NAME=value`, each ended by a NUL, as the kernel hands it to a program.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// The variables as bytes.
pub(crate) fn encode(variables: &[(OsString, OsString)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in variables {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// The variables in the bytes; what has no name is left out, since no program could read it.
pub(crate) fn decode(bytes: &[u8]) -> Vec<(OsString, OsString)> {
    bytes.split(|&byte| byte == 0).filter_map(variable).collect()
}

fn variable(entry: &[u8]) -> Option<(OsString, OsString)> {
    let split = entry.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    let name = OsStr::from_bytes(&entry[..split]).to_owned();
    Some((name, OsString::from_vec(entry[split + 1..].to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_survives() {
        let variables = vec![
            (OsString::from("A"), OsString::from("1=2\n")),
            (OsString::from("B"), OsString::from_vec(vec![0xff, b' '])),
            (OsString::from("EMPTY"), OsString::new()),
        ];
        assert_eq!(decode(&encode(&variables)), variables);
    }

    #[test]
    fn what_is_no_variable_is_left_out() {
        assert_eq!(decode(b"=x\0novalue\0\0A=1\0"), [("A".into(), "1".into())]);
    }
}
