//! Names for sessions that were given none.

use super::rules::{NameRules, Preset};
use super::words::{ADJECTIVES, NOUNS};

/// How many names are drawn before counting begins. There are thousands of names to draw from, so
/// even a crowded store is left by chance well before this.
const DRAWS: u32 = 64;

/// The last suffix tried, which is what ends the count for a caller to whom no name is free.
const LAST_SUFFIX: u32 = 99_999;

impl NameRules {
    /// Makes up a name that `is_free` agrees to.
    ///
    /// `SLUG` gives a word and four lower-case hexadecimal digits (`cedar-7f2a`), `LABEL` two words
    /// (`quiet-otter`). A name that is taken is drawn again, up to 64 times; then the last one
    /// drawn is counted up, `-2`, `-3` and so on, to the next one free. So a free name is found
    /// whatever `random` returns, also if it always returns the same, and every name fits the
    /// rules.
    ///
    /// The count ends at `-99999`, and that name is returned whether or not it is free. Only an
    /// `is_free` that cannot say yes gets there (its store no longer answers, say), and creating
    /// the session then fails where the reason is known, instead of a search that never returns.
    ///
    /// `random` is the only source of chance, one call for each draw; all 64 bits should vary,
    /// though 32 are enough.
    pub fn generate(
        &self,
        random: &mut dyn FnMut() -> u64,
        is_free: &mut dyn FnMut(&str) -> bool,
    ) -> String {
        let mut drawn = self.draw(random());
        for _ in 1..DRAWS {
            if is_free(&drawn) {
                return drawn;
            }
            drawn = self.draw(random());
        }
        if is_free(&drawn) {
            return drawn;
        }
        (2..LAST_SUFFIX)
            .map(|suffix| format!("{drawn}-{suffix}"))
            .find(|name| is_free(name))
            .unwrap_or_else(|| format!("{drawn}-{LAST_SUFFIX}"))
    }

    fn draw(self, random: u64) -> String {
        let (high, low) = (random >> 16, random & 0xffff);
        match self.preset {
            Preset::Slug => format!("{}-{low:04x}", pick(&NOUNS, high)),
            Preset::Label => format!("{}-{}", pick(&ADJECTIVES, low), pick(&NOUNS, high)),
        }
    }
}

/// Both lists have a power of two of words, so the remainder favours none.
fn pick(words: &[&'static str; 128], random: u64) -> &'static str {
    words[(random % 128) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::NameRules;

    const BOTH: [NameRules; 2] = [NameRules::SLUG, NameRules::LABEL];

    #[test]
    fn generated_words_are_many_and_short() {
        let mut state = 0_u64;
        let mut random = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            state ^ (state >> 29)
        };
        for rules in BOTH {
            let mut first = BTreeSet::new();
            let mut second = BTreeSet::new();
            for _ in 0..10_000 {
                let name = rules.generate(&mut random, &mut |_| true);
                let (left, right) = name.split_once('-').expect("two parts");
                first.insert(left.to_owned());
                second.insert(right.to_owned());
            }
            assert!(first.len() >= 100 && second.len() >= 100, "{first:?} {second:?}");
            assert!(first.iter().all(|word| (3..=6).contains(&word.len())), "{first:?}");
        }
    }

    #[test]
    fn generation_counts_up_when_every_draw_is_taken() {
        for rules in BOTH {
            let base = rules.generate(&mut || 7, &mut |_| true);
            let mut taken = BTreeSet::from([base.clone()]);
            for suffix in 2..10 {
                let next = rules.generate(&mut || 7, &mut |name| !taken.contains(name));
                assert_eq!(next, format!("{base}-{suffix}"));
                assert_eq!(rules.validate(&next), Ok(()));
                taken.insert(next);
            }
        }
    }

    #[test]
    fn generation_draws_again_before_it_counts() {
        for rules in BOTH {
            let mut draws = 0;
            let mut refused = 0;
            let name = rules.generate(
                &mut || {
                    draws += 1;
                    draws
                },
                &mut |_| {
                    refused += 1;
                    refused > 5
                },
            );
            assert_eq!(draws, 6);
            assert_eq!(name.matches('-').count(), 1);
        }
    }

    #[test]
    fn generation_ends_when_nothing_is_free() {
        for rules in BOTH {
            let mut draws = 0;
            let name = rules.generate(
                &mut || {
                    draws += 1;
                    u64::MAX
                },
                &mut |_| false,
            );
            assert_eq!(draws, 64);
            assert!(name.ends_with("-99999"), "{name}");
            assert_eq!(rules.validate(&name), Ok(()));
        }
    }
}
