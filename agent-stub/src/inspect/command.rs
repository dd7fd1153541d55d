//! Commands for a shell: a character that ends or nests a command, followed by a known program.
//!
//! Prose is full of semicolons, ampersands and words such as `cat` and `more`. So a program counts only with an argument that
//! looks like one (a path, an option, a variable), or, for the few that are useful alone, at the end of the text.

use crate::inspect::characters::Characters;
use crate::inspect::field::cut;

/// Returns the detector's name when the text would make a shell run a known program.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    if characters.has_all(FUNCTION) && text.trim_start().starts_with("() {") {
        return Some("STUB-SHELLSHOCK".into());
    }
    let separates = characters.has_any(SEPARATORS);
    let substitutes = characters.has_all(SUBSTITUTION);
    let quotes = characters.has_any(BACKQUOTE);
    if !separates && !substitutes && !quotes {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    if is_plain_list(&lower) {
        return None;
    }
    let is_command = separates && separates_program(&lower)
        || substitutes && substitutes_program(&lower)
        || quotes && quotes_program(&lower);
    is_command.then(|| "STUB-COMMAND".into())
}

fn separates_program(text: &str) -> bool {
    text.bytes()
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b';' | b'|' | b'&' | b'\n'))
        .take(SEPARATOR_LIMIT)
        .any(|(at, separator)| {
            runs_program(
                cut(&text[at + 1..], COMMAND_BYTES),
                CommandEnd::of(separator),
            )
        })
}

// `name;id;host` and `/users/name|id|city`: column lists, where words like `id` mean themselves. A list has at least three
// columns, and not all that follow the first are programs.
fn is_plain_list(text: &str) -> bool {
    let mut words = text
        .trim_start_matches('/')
        .split([';', '|', ','])
        .map(str::trim);
    let first = words.next().unwrap_or_default();
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    first.rsplit('/').next().is_some_and(is_word)
        && words.clone().all(is_word)
        && words.clone().count() >= 2
        && !words.all(is_program)
}

/// What may follow a program that stands alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CommandEnd {
    /// The end of the text or the next separator.
    Any,
    /// The end of the text only: in tables a pipe follows each cell.
    TextOnly,
}

impl CommandEnd {
    fn of(separator: u8) -> Self {
        if matches!(separator, b'|' | b'\n') {
            Self::TextOnly
        } else {
            Self::Any
        }
    }
}

fn runs_program(after_separator: &str, ending: CommandEnd) -> bool {
    let command = skip_blanks(after_separator);
    let Some((program, rest)) = split_program(command) else {
        return false;
    };
    if STANDS_ALONE.contains(&program) {
        let tail = rest.trim_start_matches([' ', '\t']);
        let is_over = match ending {
            CommandEnd::Any => tail.starts_with([';', '&', '|', '#', '\n', '\r', '>', '\'', '"']),
            CommandEnd::TextOnly => tail.starts_with(['#', '>', ';', '&']),
        };
        if tail.trim_end().is_empty() || is_over {
            return true;
        }
    }
    (STANDS_ALONE.contains(&program) || WANTS_ARGUMENT.contains(&program))
        && has_shell_argument(program, rest)
}

fn skip_blanks(text: &str) -> &str {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', ';', '|', '&', '\n', '\r', '(']);
        let trimmed = trimmed
            .strip_prefix("${ifs}")
            .or_else(|| trimmed.strip_prefix("$ifs"))
            .unwrap_or(trimmed);
        if trimmed.len() == rest.len() {
            return rest;
        }
        rest = trimmed;
    }
}

fn split_program(command: &str) -> Option<(&str, &str)> {
    let word_length = command
        .find(|character: char| {
            !character.is_ascii_alphanumeric() && !matches!(character, '/' | '.' | '_' | '-')
        })
        .unwrap_or(command.len());
    let (word, rest) = command.split_at(word_length);
    let program = if word.starts_with('/') {
        word.rsplit('/').next()?
    } else {
        word
    };
    let program = program.strip_suffix(".exe").unwrap_or(program);
    (!program.is_empty()).then_some((program, rest))
}

fn has_shell_argument(program: &str, rest: &str) -> bool {
    if rest.contains(">/") || rest.starts_with('<') && rest.contains('/') {
        return true;
    }
    let blanked = rest.replace("${ifs}", " ").replace("$ifs", " ");
    if !blanked.starts_with([' ', '\t', '<', '>']) {
        return false;
    }
    let arguments = blanked.trim_start_matches([' ', '\t', '<', '>']);
    let argument = arguments
        .split([' ', '\t', ';', '|', '&', '\n', '\'', '"', ')'])
        .next()
        .unwrap_or_default();
    let remainder = arguments[argument.len()..].trim();
    let ends_command =
        remainder.is_empty() || remainder.starts_with([';', '|', '&', '#', '\'', '"', ')']);
    if argument.starts_with(|first: char| first.is_ascii_digit()) {
        let takes_number = matches!(program, "sleep" | "kill" | "timeout") && ends_command;
        let takes_address = matches!(
            program,
            "nc" | "ncat" | "netcat" | "ping" | "telnet" | "nslookup" | "curl" | "wget"
        ) && argument.contains('.');
        return takes_number || takes_address;
    }
    if let Some(option) = argument.strip_prefix('-') {
        return option.starts_with(|letter: char| letter.is_ascii_alphabetic());
    }
    let is_path = argument.len() > 1 && argument.starts_with(['/', '~', '$', '*', '.', '\\'])
        || argument.contains(":\\");
    let names_target = argument.contains("://") || is_dotted_name(argument);
    is_path || names_target && !ENGLISH_WORDS.contains(&program)
}

fn is_dotted_name(argument: &str) -> bool {
    argument.split_once('.').is_some_and(|(name, after)| {
        !name.is_empty() && after.starts_with(|character: char| character.is_ascii_alphanumeric())
    })
}

fn substitutes_program(text: &str) -> bool {
    text.match_indices("$(")
        .take(SEPARATOR_LIMIT)
        .any(|(at, opening)| {
            split_program(skip_blanks(cut(&text[at + opening.len()..], COMMAND_BYTES))).is_some_and(
                |(program, rest)| {
                    is_program(program)
                        && (rest.starts_with(')') || rest.starts_with([' ', '<', '$', '\t']))
                },
            )
        })
}

// In prose, backquotes mark code: "run `ls` first". A substitution is the whole value or is glued to what precedes it.
fn quotes_program(text: &str) -> bool {
    text.match_indices('`').step_by(2).any(|(at, quote)| {
        let inside = &text[at + quote.len()..];
        let Some(end) = inside.find('`') else {
            return false;
        };
        let before = text[..at].chars().next_back();
        let is_whole = before.is_none() && inside[end + 1..].trim().is_empty();
        let is_glued = before.is_some_and(|last| {
            !last.is_whitespace() && !matches!(last, '(' | '[' | '*' | '"' | '\'')
        });
        (is_whole || is_glued)
            && split_program(skip_blanks(&inside[..end]))
                .is_some_and(|(program, _)| is_program(program))
    })
}

fn is_program(word: &str) -> bool {
    STANDS_ALONE.contains(&word) || WANTS_ARGUMENT.contains(&word)
}

const FUNCTION: Characters = Characters::of("() {");
const SEPARATORS: Characters = Characters::of(";|&\n");
const SUBSTITUTION: Characters = Characters::of("$(");
const BACKQUOTE: Characters = Characters::of("`");

// Sentences begin with these, and a dotted name or an address may follow: `; more at example.com`.
const ENGLISH_WORDS: &[&str] = &[
    "echo", "expr", "find", "head", "kill", "less", "more", "touch", "type",
];

// Each separator costs a scan of what follows it; without these bounds a body of semicolons would cost its square.
const SEPARATOR_LIMIT: usize = 4_096;
const COMMAND_BYTES: usize = 256;

const STANDS_ALONE: &[&str] = &[
    "bash",
    "dir",
    "env",
    "hostname",
    "id",
    "ifconfig",
    "ipconfig",
    "ls",
    "netstat",
    "printenv",
    "ps",
    "pwd",
    "sh",
    "systeminfo",
    "tasklist",
    "uname",
    "whoami",
    "zsh",
];

const WANTS_ARGUMENT: &[&str] = &[
    "awk",
    "base64",
    "busybox",
    "cat",
    "certutil",
    "chmod",
    "chown",
    "cmd",
    "cp",
    "curl",
    "dig",
    "echo",
    "expr",
    "find",
    "ftp",
    "grep",
    "head",
    "kill",
    "less",
    "ln",
    "more",
    "mv",
    "nc",
    "ncat",
    "netcat",
    "node",
    "nohup",
    "nslookup",
    "perl",
    "php",
    "ping",
    "powershell",
    "printf",
    "python",
    "python2",
    "python3",
    "rm",
    "ruby",
    "scp",
    "sed",
    "sleep",
    "socat",
    "ssh",
    "sudo",
    "tail",
    "tar",
    "telnet",
    "tftp",
    "timeout",
    "touch",
    "type",
    "wget",
    "xxd",
];
