//! The words that generated names are made of: short, plain to read aloud, and kind.

/// What a thing is like. No word of it is also a noun of the other list.
pub(super) const ADJECTIVES: [&str; 128] = [
    "able", "agile", "airy", "amber", "ample", "apt", "azure", "bold", "brave", "breezy", "brief",
    "bright", "brisk", "bronze", "calm", "civil", "classy", "clear", "clever", "cosmic", "cosy",
    "crisp", "curly", "dapper", "deep", "deft", "direct", "dreamy", "early", "earthy", "elated",
    "even", "exact", "fair", "famous", "fancy", "fast", "fine", "firm", "fleet", "fluent", "fond",
    "frank", "free", "fresh", "funny", "gentle", "gifted", "glad", "golden", "grand", "great",
    "green", "happy", "hardy", "hearty", "honest", "humble", "ideal", "indigo", "ivory", "jaunty",
    "jolly", "jovial", "joyful", "keen", "kind", "lilac", "lively", "loyal", "lucid", "lucky",
    "lunar", "mellow", "merry", "mighty", "mild", "modest", "neat", "nimble", "noble", "novel",
    "open", "perky", "placid", "plucky", "polite", "prime", "proper", "proud", "pure", "quick",
    "quiet", "ready", "regal", "robust", "rosy", "round", "royal", "rustic", "serene", "sharp",
    "shiny", "silent", "silver", "simple", "sleek", "smart", "smooth", "snug", "solar", "solid",
    "spry", "steady", "still", "sturdy", "sunny", "swift", "teal", "tender", "tidy", "true",
    "upbeat", "vivid", "warm", "wise", "witty", "zesty",
];

/// Plants, animals and places.
pub(super) const NOUNS: [&str; 128] = [
    "alder", "anchor", "apron", "arrow", "aster", "bamboo", "banjo", "barley", "basin", "basket",
    "bay", "beacon", "beaver", "beech", "bell", "berry", "birch", "bison", "bridge", "brook",
    "cabin", "canal", "canoe", "canyon", "cedar", "cherry", "cliff", "cloud", "clover", "cobalt",
    "comet", "coral", "cove", "crane", "creek", "delta", "desert", "dune", "eagle", "ember",
    "falcon", "fern", "ferry", "field", "finch", "fjord", "flint", "forest", "fossil", "fox",
    "garden", "geyser", "ginger", "glen", "grove", "gull", "harbor", "hazel", "heron", "hill",
    "holly", "ibis", "iris", "island", "jasper", "kelp", "kettle", "kite", "koala", "lagoon",
    "lake", "lamp", "lark", "laurel", "lemon", "lily", "linden", "lynx", "magnet", "maple",
    "marble", "marsh", "meadow", "melon", "mesa", "mint", "moon", "moss", "nectar", "oak", "ocean",
    "olive", "orbit", "orchid", "otter", "owl", "panda", "pepper", "pine", "planet", "pond",
    "poplar", "puffin", "quartz", "quill", "raven", "reef", "ridge", "river", "robin", "rocket",
    "saddle", "salmon", "spruce", "star", "stone", "summit", "swan", "thyme", "tide", "tulip",
    "tundra", "valley", "violet", "walnut", "willow", "wren", "zephyr",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ADJECTIVES, NOUNS};

    #[test]
    fn words_are_distinct_and_short() {
        let words: BTreeSet<&str> = ADJECTIVES.into_iter().chain(NOUNS).collect();
        assert_eq!(words.len(), ADJECTIVES.len() + NOUNS.len());
        for word in words {
            assert!((3..=6).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        }
    }
}
