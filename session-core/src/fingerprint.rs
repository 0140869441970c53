//! A number that tells one question from another.

/// FNV-1a: stable over versions of the compiler, unlike the standard hasher.
pub(crate) fn of(question: &str) -> u64 {
    question.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
