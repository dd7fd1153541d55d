//! The kinds of findings: one stable name for each way in which what was seen can differ from what had to be seen.
//!
//! The kinds themselves stand in one table, `finding_kind/table.rs`: name, severity, what it means, and what to look at next.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::table::FindingKind;

/// Makes the enum and its attributes from the table, so that no kind can lack one.
macro_rules! finding_kinds {
    ($($variant:ident $name:tt $severity:ident $meaning:tt $next:tt)+) => {
        /// What kind of expectation was not met.
        #[derive(
            Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum FindingKind {
            $(
                #[doc = $meaning]
                $variant,
            )+
        }

        impl FindingKind {
            /// Every kind, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name as reports write it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns how much a finding of this kind matters.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)+
                }
            }

            /// Returns the sentence that says what a finding of this kind means.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// Returns the sentence that says what to look at next.
            pub const fn next_step(self) -> &'static str {
                match self {
                    $(Self::$variant => $next,)+
                }
            }
        }
    };
}

mod table;

/// How much a finding matters.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something that is reported is wrong, while requests are decided as they have to be.
    Minor,
    /// Legitimate traffic breaks, or a promise of the deployment does not hold.
    Major,
    /// Attacks pass, or secrets leak.
    Critical,
}

impl Severity {
    /// Every severity, the worst first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Major, Self::Minor];

    /// Returns the name as reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    /// Returns the sentence that says what it means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Minor => {
                "Something that is reported is wrong, while requests are decided as they have to be."
            }
            Self::Major => {
                "Legitimate traffic breaks, or a promise of the deployment does not hold."
            }
            Self::Critical => "Attacks pass, or secrets leak.",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A text is not the name of a kind.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not a kind of finding")]
pub struct ParseFindingKindError {
    /// What was written.
    pub text: String,
}

impl FromStr for FindingKind {
    type Err = ParseFindingKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| ParseFindingKindError { text: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Words that no sentence about a kind may have: each has a term that the field uses.
    const PRIVATE_WORDS: [&str; 14] = [
        "books",
        "conduct",
        "fate",
        "gate",
        "journey",
        "kept",
        "legs",
        "looks",
        "nobody",
        "somebody",
        "tells",
        "testimony",
        "told",
        "word",
    ];

    #[test]
    fn names_are_unique_sorted_and_those_that_serde_writes() {
        let names: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let sorted: BTreeSet<&str> = names.iter().copied().collect();
        assert!(names.iter().eq(&sorted), "{names:?}");
        for kind in FindingKind::ALL {
            let written = serde_json::to_value(kind).expect("a name");
            assert_eq!(written, kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }

    #[test]
    fn a_misspelt_name_is_no_kind() {
        let error = "outcom".parse::<FindingKind>().expect_err("no kind");
        assert_eq!(error.to_string(), "`outcom` is not a kind of finding");
    }

    #[test]
    fn each_kind_has_two_sentences_of_its_own() {
        let mut meanings = BTreeSet::new();
        for kind in FindingKind::ALL {
            for sentence in [kind.meaning(), kind.next_step()] {
                let begins = sentence.chars().next().is_some_and(char::is_uppercase);
                assert!(begins, "{kind}: {sentence}");
                assert!(sentence.ends_with('.'), "{kind}: {sentence}");
                assert!(!sentence.contains(". "), "one sentence: {kind}: {sentence}");
            }
            assert!(meanings.insert(kind.meaning()), "{kind} means the same");
        }
    }

    #[test]
    fn neither_names_nor_sentences_have_private_words() {
        for kind in FindingKind::ALL {
            let text = format!("{kind} {} {}", kind.meaning(), kind.next_step()).to_lowercase();
            let used = text
                .split(|character: char| !character.is_alphanumeric())
                .find(|word| PRIVATE_WORDS.contains(word));
            assert_eq!(used, None, "{text}");
        }
    }

    #[test]
    fn an_attack_that_passes_is_critical_and_a_wrong_figure_is_not() {
        assert_eq!(FindingKind::LeakedAttack.severity(), Severity::Critical);
        assert_eq!(FindingKind::LostRequests.severity(), Severity::Major);
        assert_eq!(FindingKind::AgentSignals.severity(), Severity::Minor);
        assert!(Severity::Critical > Severity::Major && Severity::Major > Severity::Minor);
    }
}
