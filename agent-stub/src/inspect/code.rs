//! Code for an interpreter: PHP, Python, Ruby and JavaScript calls that run something, and template expressions that do.
//!
//! Prose and documentation name the same functions. So a call counts where a statement may begin and with an argument that
//! code has, and a template expression counts by what is in it, not by its braces.

use crate::inspect::characters::Characters;
use crate::inspect::code_words::{
    CALLS, CallPlace, INTERNALS, PHP_CALLS, PHP_INPUT, Shell, TEMPLATE_CALLS, TEMPLATE_WORDS,
    TEMPLATES, Template,
};
use crate::inspect::field::cut;

/// Returns the detector's name when an interpreter or a template engine would run the text.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    let found = if characters.has_any(OPENINGS) {
        opens_code(&text.to_ascii_lowercase(), characters)
    } else {
        None
    };
    found
        .or_else(|| {
            let mut names = INTERNALS.iter();
            names
                .any(|name| name.is_in(text, characters))
                .then_some("STUB-CODE-INTERNALS")
        })
        .map(Into::into)
}

fn opens_code(lower: &str, characters: Characters) -> Option<&'static str> {
    if characters.has_all(PHP) && opens_php(lower) {
        Some("STUB-CODE-PHP")
    } else if expands_template(lower, characters) {
        Some("STUB-CODE-TEMPLATE")
    } else if characters.has_any(CALL) && calls_dangerously(lower) {
        Some("STUB-CODE-CALL")
    } else {
        None
    }
}

fn opens_php(lower: &str) -> bool {
    ["<?php", "<?="].iter().any(|tag| {
        lower
            .match_indices(tag)
            .take(MOST_CANDIDATES)
            .any(|(at, tag)| runs_something(cut(&lower[at + tag.len()..], EXPRESSION_BYTES)))
    })
}

fn runs_something(code: &str) -> bool {
    PHP_INPUT.iter().any(|name| code.contains(name))
        || code
            .match_indices('(')
            .take(MOST_CANDIDATES)
            .any(|(at, _)| PHP_CALLS.contains(&name_before(code, at)))
}

fn expands_template(lower: &str, characters: Characters) -> bool {
    let mut possible = TEMPLATES
        .iter()
        .filter(|template| characters.has_all(Characters::of(template.opening)));
    possible.any(|template| {
        lower
            .match_indices(template.opening)
            .take(MOST_CANDIDATES)
            .any(|(at, opening)| {
                let after = cut(&lower[at + opening.len()..], EXPRESSION_BYTES);
                let expression = after.find(template.closing).map_or(after, |end| {
                    // An expression may hold braces of its own; one more closing mark is skipped.
                    after[end + 1..]
                        .find(template.closing)
                        .map_or(after, |second| &after[..end + 1 + second])
                });
                is_dangerous(expression, after, template)
            })
    })
}

fn is_dangerous(expression: &str, after: &str, template: &Template) -> bool {
    let own = after.find(template.closing).map(|end| &after[..end]);
    own.is_some_and(is_arithmetic)
        || TEMPLATE_WORDS.iter().any(|word| expression.contains(word))
        || template.shell == Shell::Backquotes
            && own.is_some_and(|own| own.matches('`').count() > 1)
        || expression
            .match_indices('(')
            .take(MOST_CANDIDATES)
            .any(|(at, _)| TEMPLATE_CALLS.contains(&name_before(expression, at)))
}

// `7*7` and `7*'7'`: a product of two constants is written into a template only to see whether it is computed.
fn is_arithmetic(expression: &str) -> bool {
    let is_number = |text: &str| {
        let bare = text.trim().trim_matches(['\'', '"', '=']).trim();
        !bare.is_empty() && bare.bytes().all(|digit| digit.is_ascii_digit())
    };
    expression
        .split_once('*')
        .is_some_and(|(left, right)| is_number(left) && is_number(right))
}

fn calls_dangerously(lower: &str) -> bool {
    lower
        .match_indices('(')
        .take(MOST_CANDIDATES)
        .any(|(at, _)| {
            let name = name_before(lower, at);
            let Some(call) = CALLS.iter().find(|call| call.name == name) else {
                return false;
            };
            let before = lower[..at - name.len()].trim_end_matches(['@', '\\']);
            let argument = cut(&lower[at + 1..], ARGUMENT_BYTES).trim_start();
            is_statement_start(before, call.place)
                && call
                    .arguments
                    .iter()
                    .any(|start| argument.starts_with(start))
        })
}

fn is_statement_start(before: &str, place: CallPlace) -> bool {
    match place {
        CallPlace::Anywhere => true,
        CallPlace::Statement => {
            let before = before.trim_end_matches([' ', '\t']);
            before.is_empty()
                || before.ends_with([';', '{', '}', '=', '|', '\n', '\'', '"', ')', '&', '.', '>'])
                || ["print", "return", "echo", "throw"].contains(&before)
        }
    }
}

fn name_before(text: &str, parenthesis: usize) -> &str {
    let before = &text[..parenthesis];
    let start = before
        .bytes()
        .rev()
        .take(LONGEST_NAME)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        .count();
    before[before.len() - start..].trim_start_matches('.')
}

// Every call has a parenthesis, and every opening of a template or of PHP one of these.
const OPENINGS: Characters = Characters::of("({<");
const PHP: Characters = Characters::of("<?");
const CALL: Characters = Characters::of("(");
const MOST_CANDIDATES: usize = 512;
const EXPRESSION_BYTES: usize = 512;
const ARGUMENT_BYTES: usize = 32;
const LONGEST_NAME: usize = 32;
