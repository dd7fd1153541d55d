//! No detector finds less when it knows the characters of its text: what they rule out is what it would not have found.

use std::path::Path;

use fs_err as fs;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::inspect::characters::Characters;
use crate::inspect::decode::decodings;
use crate::inspect::field::Spaces;
use crate::inspect::{
    backdoor, code, command, lookup, metadata, script, sql, tool, traversal, xxe,
};

/// What detectors look for, in whole and in parts.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "/",
    "..",
    "../",
    "..;/",
    ";",
    "|",
    "&",
    "\n",
    "\t",
    " ",
    "\0",
    "$",
    "(",
    ")",
    "()",
    "{",
    "}",
    "() {",
    "$(",
    "${",
    "jndi:",
    "{{",
    "{%",
    "*{",
    "%{",
    "@(",
    "#{",
    "<%",
    "<#assign",
    "<?",
    "<?php ",
    "<",
    ">",
    "=",
    "*",
    "#",
    "@",
    "--",
    "/*",
    "%",
    ":",
    "::",
    "[",
    "]",
    ".",
    "-",
    "_",
    "+",
    ",",
    "7*7",
    "1",
    "0x",
    "12345",
    "c99",
    "cmd",
    "php",
    "asp",
    "txt",
    "id",
    "cat",
    "ls",
    "sh",
    "a",
    "or",
    "and",
    "union",
    "select",
    "sp_password",
    "User",
    "system",
    "eval",
    "phpinfo",
    "__class__",
    "__mro__",
    "__base",
    "class",
    "module",
    "classloader",
    "CLASS.MODULE.CLASSLOADER",
    ".__subclasses__()",
    "process.mainmodule.require(",
    "(#_memberaccess",
    "#context['com.opensymphony",
    "http:",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "fd00:ec2::254",
    "metadata.google.internal",
    "/latest/meta-data",
    "nip.io",
    "169-254-169-254",
    "etc/passwd",
    "boot.ini",
    "file://",
    "javascript",
    "vbscript",
    "onload",
    "script",
    "<!DOCTYPE",
    "<!ENTITY",
    "SYSTEM",
    "sqlmap",
    "Nikto",
    "é",
    "\u{a0}",
    "\u{feff}",
    "\u{b}",
    "😀",
];

type Detect = fn(&str, Characters) -> Option<String>;

/// Compares every detector with itself where nothing is known of its text.
fn compare(text: &str) {
    let characters = Characters::of(text);
    let detectors: [(&str, Detect); 9] = [
        ("backdoor", backdoor::detect),
        ("code", code::detect),
        ("command", command::detect),
        ("lookup", lookup::detect),
        ("metadata", metadata::detect),
        ("sql", sql::detect),
        ("tool", tool::detect),
        ("traversal", traversal::detect),
        ("xxe", xxe::detect),
    ];
    for (name, detect) in detectors {
        assert_eq!(
            detect(text, characters),
            detect(text, Characters::UNKNOWN),
            "{name}: {text:?}"
        );
    }
    // That a way out of an attribute is there is a part of the rule; the end of a scheme is what is not searched for.
    assert_eq!(
        script::detect(text, characters),
        script::detect(text, characters.and(Characters::of(":"))),
        "script: {text:?}"
    );
}

fn lines_below(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the payloads are beside the crate");
    entries
        .map(|entry| entry.expect("readable").path())
        .flat_map(|path| {
            if path.is_dir() {
                return lines_below(&path);
            }
            let text = fs::read_to_string(&path).expect("text");
            text.lines().map(str::to_owned).collect()
        })
        .collect()
}

#[test]
fn no_payload_is_found_less_in_any_decoding() {
    let lines = lines_below(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures/payloads"
    )));
    assert!(lines.len() > 1_000, "{}", lines.len());
    for line in &lines {
        // The line, its value without the key, and its parts: quoted texts and fields of queries among them.
        let value = line.split_once(": ").map_or("", |(_, value)| value);
        let parts = line.split(['"', '\'', '=', '?', ' ']);
        for text in parts.chain([line.as_str(), line.trim(), value]) {
            for spaces in [Spaces::AsWritten, Spaces::FromPlus] {
                for decoded in decodings(text, spaces) {
                    compare(&decoded.text);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_pieces_is_found_less(pieces in vec(prop::sample::select(PIECES), 0..8)) {
        compare(&pieces.concat());
    }

    #[test]
    fn no_text_is_found_less(text in any::<String>()) {
        compare(&text);
    }

    #[test]
    fn no_word_or_number_is_found_less(text in "[A-Za-z0-9_]{4,24}") {
        compare(&text);
    }
}
