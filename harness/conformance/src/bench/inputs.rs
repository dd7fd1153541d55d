//! Requests that are harmless and dear to inspect: where an agent is slow at its worst, it can be made to fail by whoever sends one.

use std::fmt;
use std::str::FromStr;

use super::request::{Body, request_with};

/// The length of every text in bytes: what the shipped configurations hand to an agent at most.
const LENGTH: usize = 8000;

/// A request that is dear to inspect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// A short GET, to compare the others with.
    Plain,
    /// JSON arrays within each other.
    DeepJson,
    /// An object of many short members.
    WideJson,
    /// A form of many parameters.
    ManyParameters,
    /// One character over and over.
    LongRun,
    /// Words that each begin like a statement and are none: a scanner that goes back starts over at each.
    NearMisses,
    /// Letters written as `%25…41`, to be decoded over and over.
    NestedEscapes,
    /// Entities of markup, one after another.
    Entities,
}

impl Input {
    /// Every input.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::DeepJson,
        Self::WideJson,
        Self::ManyParameters,
        Self::LongRun,
        Self::NearMisses,
        Self::NestedEscapes,
        Self::Entities,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::DeepJson => "deep-json",
            Self::WideJson => "wide-json",
            Self::ManyParameters => "many-parameters",
            Self::LongRun => "long-run",
            Self::NearMisses => "near-misses",
            Self::NestedEscapes => "nested-escapes",
            Self::Entities => "entities",
        }
    }

    /// Makes the bytes of a request for a target.
    pub fn request(self, target: &str) -> Vec<u8> {
        const JSON: &str = "application/json";
        const FORM: &str = "application/x-www-form-urlencoded";
        let (content_type, text) = match self {
            Self::Plain => return request_with(target, None, 0),
            Self::DeepJson => {
                let depth = LENGTH / 2;
                (JSON, format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
            }
            Self::WideJson => {
                let members = numbered(|number| format!("\"m{number}\":1"));
                (JSON, format!("{{{}}}", members.join(",")))
            }
            Self::ManyParameters => (FORM, numbered(|number| format!("p{number}=1")).join("&")),
            Self::LongRun => (FORM, format!("text={}", "a".repeat(LENGTH))),
            Self::NearMisses => (
                FORM,
                format!("text={}", repeated("selec unio alert scrip ")),
            ),
            Self::NestedEscapes => (FORM, format!("text={}", repeated("%25252525252541"))),
            Self::Entities => (FORM, format!("text={}", repeated("%26amp%3B"))),
        };
        let body = Body {
            content_type,
            content: text.into_bytes(),
        };
        request_with(target, Some(&body), 0)
    }
}

/// Returns as many numbered texts as fit with a separator between them.
fn numbered(text: impl Fn(usize) -> String) -> Vec<String> {
    let mut length = 0;
    let fits = |text: &String| {
        length += text.len() + 1;
        length <= LENGTH
    };
    (0..LENGTH).map(text).take_while(fits).collect()
}

fn repeated(text: &str) -> String {
    text.repeat(LENGTH / text.len())
}

impl fmt::Display for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|input| input.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no input `{text}`; the inputs are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_input_is_as_long_as_is_inspected_and_well_formed() {
        for input in Input::ALL {
            let request = String::from_utf8(input.request("/a")).expect("text");
            let (head, body) = request.split_once("\r\n\r\n").expect("a head");
            if input == Input::Plain {
                assert!(head.starts_with("GET ") && body.is_empty());
                continue;
            }
            assert!(
                head.contains(&format!("content-length: {}", body.len())),
                "{input}"
            );
            assert!(
                (LENGTH * 9 / 10..=LENGTH + 10).contains(&body.len()),
                "{input}: {}",
                body.len()
            );
            // The parser of the test is not asked to go as deep as agents are.
            if input == Input::WideJson {
                serde_json::from_str::<serde_json::Value>(body).expect("JSON");
            }
            assert_eq!(input.name().parse(), Ok(input));
        }
        assert!("regex".parse::<Input>().is_err());
    }
}
