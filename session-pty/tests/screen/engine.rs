//! The engine below ours: what is not corrected on purpose is left to it.

use proptest::prelude::*;

use crate::stage::{SIZE, cases, screen};
use crate::terminal::Outer;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), failure_persistence: None, ..Default::default() })]

    // Wide characters, saved modes, margins below the screen, erasing above and tabs at the edge differ on purpose.
    #[test]
    fn the_wrapper_forwards(
        bytes in "(\x1b\\[[0-9]{0,2}(;[0-9])?[@A-HKLMSTX`a-g]|\x1b\\[[02]?J|\x1b[DEHM78]|[a-z]{1,9}|\r\n|\x1b\\[4G\t){0,40}",
    ) {
        let rows = Outer::with(SIZE, &bytes).rows();
        let seen: Vec<_> = rows[rows.len() - usize::from(SIZE.rows())..]
            .iter()
            .map(|row| row.split('|').next().unwrap().trim_end())
            .collect();
        prop_assert_eq!(screen(&bytes).rows_text(), seen);
    }
}
