//! Code for an interpreter: PHP, Python, Ruby and JavaScript calls that run something, and template expressions that do.
//!
//! Prose and documentation name the same functions. So a call counts where a statement may begin and with an argument that
//! code has, and a template expression counts by what is in it, not by its braces.

use crate::inspect::field::cut;

/// Returns the detector's name when an interpreter or a template engine would run the text.
pub(crate) fn detect(text: &str) -> Option<String> {
    if !text.contains(['(', '{', '<', '[', '.']) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let detector = if opens_php(&lower) {
        "STUB-CODE-PHP"
    } else if expands_template(&lower) {
        "STUB-CODE-TEMPLATE"
    } else if calls_dangerously(&lower) {
        "STUB-CODE-CALL"
    } else if INTERNALS.iter().any(|name| lower.contains(name)) {
        "STUB-CODE-INTERNALS"
    } else {
        return None;
    };
    Some(detector.into())
}

fn opens_php(lower: &str) -> bool {
    ["<?php", "<?="].iter().any(|tag| {
        lower
            .match_indices(tag)
            .take(LOOKS)
            .any(|(at, tag)| runs_something(cut(&lower[at + tag.len()..], EXPRESSION_BYTES)))
    })
}

fn runs_something(code: &str) -> bool {
    PHP_INPUT.iter().any(|name| code.contains(name))
        || code
            .match_indices('(')
            .take(LOOKS)
            .any(|(at, _)| PHP_CALLS.contains(&name_before(code, at)))
}

fn expands_template(lower: &str) -> bool {
    TEMPLATES.iter().any(|template| {
        lower
            .match_indices(template.opening)
            .take(LOOKS)
            .any(|(at, opening)| {
                let after = cut(&lower[at + opening.len()..], EXPRESSION_BYTES);
                let expression = after.find(template.closing).map_or(after, |end| {
                    // An expression may hold braces of its own; one more closing mark is looked past.
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
            .take(LOOKS)
            .any(|(at, _)| TEMPLATE_CALLS.contains(&name_before(expression, at)))
}

// `7*7` and `7*'7'`: nobody writes a product of two constants into a template but to see whether it is computed.
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
    lower.match_indices('(').take(LOOKS).any(|(at, _)| {
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

fn is_statement_start(before: &str, place: Place) -> bool {
    match place {
        Place::Anywhere => true,
        Place::Statement => {
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

struct Template {
    opening: &'static str,
    closing: char,
    shell: Shell,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Shell {
    /// Backquotes run a command.
    Backquotes,
    None,
}

struct Call {
    name: &'static str,
    arguments: &'static [&'static str],
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    /// The name is unmistakable.
    Anywhere,
    /// Where a statement or an expression begins.
    Statement,
}

const TEMPLATES: &[Template] = &[
    Template {
        opening: "{{",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "{%",
        closing: '%',
        shell: Shell::None,
    },
    Template {
        opening: "${",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "*{",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "%{",
        closing: '}',
        shell: Shell::None,
    },
    Template {
        opening: "@(",
        closing: ')',
        shell: Shell::None,
    },
    Template {
        opening: "#{",
        closing: '}',
        shell: Shell::Backquotes,
    },
    Template {
        opening: "<%",
        closing: '%',
        shell: Shell::Backquotes,
    },
    Template {
        opening: "<#assign",
        closing: '>',
        shell: Shell::None,
    },
];

const TEMPLATE_WORDS: &[&str] = &[
    "t(java.lang.",
    "java.lang.runtime",
    "java.lang.processbuilder",
    "getruntime()",
    "new processbuilder",
    "freemarker.template.utility.execute",
    ".getclass()",
    "class.forname(",
    "__class__",
    "__globals__",
    "__init__",
    "__subclasses__",
    "__import__",
    "constructor.constructor",
    "#_memberaccess",
    "@java.lang.",
    "config.items()",
    "_self.env.",
    "filter('system')",
    "filter(\"system\")",
    "system.diagnostics.process",
];

const TEMPLATE_CALLS: &[&str] = &[
    "system",
    "exec",
    "popen",
    "os.popen",
    "os.system",
    "io.popen",
    "eval",
    "passthru",
    "shell_exec",
    "file.read",
    "file.open",
    "kernel.exec",
    "kernel.system",
];

const PHP_INPUT: &[&str] = &[
    "$_get[",
    "$_post[",
    "$_request[",
    "$_cookie[",
    "php://input",
];

const PHP_CALLS: &[&str] = &[
    "system",
    "exec",
    "shell_exec",
    "passthru",
    "popen",
    "proc_open",
    "pcntl_exec",
    "eval",
    "assert",
    "phpinfo",
    "file_put_contents",
    "file_get_contents",
    "base64_decode",
    "create_function",
    "call_user_func",
    "unlink",
];

const QUOTES: &[&str] = &["'", "\"", "`", "$_", "base64_decode(", "gzinflate(", "chr("];
const EVALUATED: &[&str] = &[
    "'",
    "\"",
    "`",
    "$_",
    "base64_decode(",
    "gzinflate(",
    "str_rot13(",
    "chr(",
    "atob(",
    "string.fromcharcode(",
    "compile(",
    "buffer.from(",
    "params[",
    "request.",
];

const CALLS: &[Call] = &[
    Call {
        name: "system",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "exec",
        arguments: EVALUATED,
        place: Place::Statement,
    },
    Call {
        name: "shell_exec",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "passthru",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "popen",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "proc_open",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "phpinfo",
        arguments: &[")"],
        place: Place::Statement,
    },
    Call {
        name: "eval",
        arguments: EVALUATED,
        place: Place::Statement,
    },
    Call {
        name: "assert",
        arguments: EVALUATED,
        place: Place::Statement,
    },
    Call {
        name: "os.system",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "os.popen",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "subprocess.popen",
        arguments: &["'", "\"", "["],
        place: Place::Statement,
    },
    Call {
        name: "subprocess.call",
        arguments: &["'", "\"", "["],
        place: Place::Statement,
    },
    Call {
        name: "subprocess.run",
        arguments: &["'", "\"", "["],
        place: Place::Statement,
    },
    Call {
        name: "subprocess.check_output",
        arguments: &["'", "\"", "["],
        place: Place::Statement,
    },
    Call {
        name: "io.popen",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "kernel.exec",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "file_put_contents",
        arguments: QUOTES,
        place: Place::Statement,
    },
    Call {
        name: "__import__",
        arguments: &["'", "\""],
        place: Place::Anywhere,
    },
    Call {
        name: "require",
        arguments: &["'child_process", "\"child_process"],
        place: Place::Statement,
    },
    Call {
        name: "process.binding",
        arguments: &["'", "\""],
        place: Place::Statement,
    },
];

// Names that only code which breaks out of a sandbox, or a serialised object, has.
const INTERNALS: &[&str] = &[
    "__class__.__mro__",
    "__class__.__base",
    ".__subclasses__()",
    "class.module.classloader",
    "process.mainmodule.require(",
    "java.lang.runtime.getruntime().exec(",
    "(#_memberaccess",
    "#context['com.opensymphony",
];

const LOOKS: usize = 512;
const EXPRESSION_BYTES: usize = 512;
const ARGUMENT_BYTES: usize = 32;
const LONGEST_NAME: usize = 32;
