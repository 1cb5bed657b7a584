//! The code that people speak to let a car into their convoy: four words, forgiving to ears and thumbs.

use std::fmt;

/// One word a line, each with four letters that no other begins with.
const LIST: &str = include_str!("words.txt");
const LIST_WORDS: u64 = 1_024;
/// Words of a code: 40 bits.
const WORDS: usize = 4;
/// So many letters tell any word.
const LETTERS_MIN: usize = 4;
/// Bytes of chance that make a code.
pub const CHANCE_BYTES: usize = 5;
/// Longer than any code, however it is written.
pub const TEXT_BYTES_MAX: usize = 128;

/// A code. Who knows it is let in: it is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([&'static str; WORDS]);

/// Why a text is no code, and what it may have been meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("a code has {WORDS} words, such as amber-castle-river-twist; this has {0}")]
    Count(usize),
    #[error("`{word}` is in no code; did they say `{nearest}`?")]
    Unknown { word: String, nearest: &'static str },
    #[error("a code is no longer than {TEXT_BYTES_MAX} letters")]
    TooLong,
}

/// What a text looks like that may be a code or a convoy's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    Code,
    Id,
    /// Half of its words are those of codes.
    Unclear,
}

impl Code {
    /// The code that this chance makes.
    #[must_use]
    pub fn from_chance(chance: [u8; CHANCE_BYTES]) -> Self {
        let bits = chance.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        Self(std::array::from_fn(|place| {
            let number = (bits >> (10 * place)) % LIST_WORDS;
            LIST.lines().nth(number as usize).unwrap_or_default()
        }))
    }

    /// Reads a code in any case, with spaces or hyphens between its words, of which the first four letters are enough.
    ///
    /// # Errors
    /// [`CodeError`] naming the word that is in no code, and the nearest one that is.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CodeError::TooLong);
        }
        let spoken: Vec<String> = parts(text).collect();
        let count = spoken.len();
        let mut words = [""; WORDS];
        if count != WORDS {
            return Err(CodeError::Count(count));
        }
        for (word, spoken) in words.iter_mut().zip(spoken) {
            *word = match known(&spoken) {
                Some(known) => known,
                None => return Err(CodeError::Unknown { nearest: nearest(&spoken), word: spoken }),
            };
        }
        Ok(Self(words))
    }

    /// The words with hyphens between them, as they are shown, and as both sides of a meeting prove to know them.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join("-")
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// Whether people who give this name want to be let in by a code, or join the convoy with this id.
#[must_use]
pub fn likeness(text: &str) -> Likeness {
    let is_spelt = text.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c.is_whitespace());
    let spoken: Vec<String> = parts(text.get(..TEXT_BYTES_MAX).unwrap_or(text)).collect();
    if !is_spelt || spoken.len() != WORDS {
        return Likeness::Id;
    }
    match spoken.iter().filter(|word| known(word).is_some()).count() {
        0 | 1 => Likeness::Id,
        2 => Likeness::Unclear,
        _ => Likeness::Code,
    }
}

fn parts(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_lowercase)
}

fn known(spoken: &str) -> Option<&'static str> {
    let is_meant = |word: &&str| *word == spoken || (spoken.len() >= LETTERS_MIN && word.starts_with(spoken));
    LIST.lines().find(is_meant)
}

fn nearest(spoken: &str) -> &'static str {
    LIST.lines().min_by_key(|word| distance(spoken, word)).unwrap_or_default()
}

/// Letters to change, add or leave out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut corner = i;
        for (above, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let cost = (corner + usize::from(from != to)).min(left + 1).min(*above + 1);
            corner = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_words_are_short_and_differ_for_the_eye_and_in_their_first_four_letters() {
        let words: Vec<&str> = LIST.lines().collect();
        assert_eq!(words.len() as u64, LIST_WORDS);
        assert!(words.iter().all(|word| (3..=7).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase())));
        let begins: BTreeSet<&str> = words.iter().map(|word| word.get(..LETTERS_MIN).unwrap_or(word)).collect();
        assert_eq!(begins.len(), words.len());
        for (n, word) in words.iter().enumerate() {
            assert!(words[n + 1..].iter().all(|other| distance(word, other) >= 2), "{word} has a twin");
        }
    }

    #[test]
    fn a_code_is_read_back_in_any_case_and_with_any_gaps_and_by_its_first_letters() {
        let code = Code::from_chance([1, 2, 3, 4, 5]);
        assert_eq!(Code::parse(&code.text()), Ok(code.clone()));
        let code = Code::parse("amber-castle-river-twist").unwrap();
        for said in [
            "  AMBER castle River  twist ",
            "Amber, Castle; River. Twist",
            "ambe cast rive twis",
            "amber--castl-river-twist",
        ] {
            assert_eq!(Code::parse(said).as_ref(), Ok(&code), "{said}");
        }
    }

    #[test]
    fn every_bit_of_chance_makes_another_code() {
        let codes: BTreeSet<String> = (0..40)
            .map(|bit| Code::from_chance((1_u64 << bit).to_be_bytes()[3..].try_into().unwrap()).text())
            .collect();
        assert_eq!(codes.len(), 40);
        assert!(codes.iter().all(|code| Code::parse(code).is_ok()));
    }

    #[test]
    fn a_word_that_is_in_no_code_is_named_with_the_nearest_one() {
        let wrong = |text: &str| Code::parse(text).unwrap_err().to_string();
        assert_eq!(wrong("amber kastle river twist"), "`kastle` is in no code; did they say `castle`?");
        assert!(wrong("amb castle river twist").contains("`amb`"));
        assert!(wrong("amber castle river").contains("has 4 words"));
        assert!(wrong(&"amber ".repeat(40)).contains("no longer"));
        assert!(wrong("").contains("this has 0"));
    }

    #[test]
    fn a_code_is_told_from_a_convoys_id() {
        for (text, likeness_of) in [
            ("amber castle river twist", Likeness::Code),
            ("amber-kastle-river-twist", Likeness::Code),
            ("amber-kastle-ryver-twist", Likeness::Unclear),
            ("alps", Likeness::Id),
            ("friends-on-the-road", Likeness::Id),
            ("65f1c0ffee-amber-castle-river", Likeness::Id),
            ("amber-castle-river-2026", Likeness::Id),
        ] {
            assert_eq!(likeness(text), likeness_of, "{text}");
        }
    }

    #[test]
    fn a_code_never_shows_itself() {
        assert!(!format!("{:?}", Code::parse("amber castle river twist").unwrap()).contains("amber"));
    }
}
