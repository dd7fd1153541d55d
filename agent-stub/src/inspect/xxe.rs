//! XML documents that reach for something outside: external entities, external definitions, and inclusions.
//!
//! Only a document counts, not prose about one, and only what an XML parser would act on: comments and sections of
//! character data are read as such.

use crate::inspect::characters::Characters;

/// Returns the detector's name when parsing the text as XML would fetch something.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    if !characters.has_any(MARKUP) {
        return None;
    }
    let document = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if !document.starts_with('<') {
        return None;
    }
    let declared = document_type(document).and_then(|declaration| {
        if declares_external_entity(declaration) {
            Some("STUB-XXE-ENTITY")
        } else if is_external_subset(declaration) {
            Some("STUB-XXE-SUBSET")
        } else {
            None
        }
    });
    declared
        .or_else(|| includes_file(document).then_some("STUB-XXE-INCLUDE"))
        .map(Into::into)
}

// The declaration stands before the first element, among instructions and comments.
fn document_type(document: &str) -> Option<&str> {
    let mut rest = document;
    for _ in 0..PROLOG_ITEMS {
        rest = rest.trim_start();
        if let Some(instruction) = rest.strip_prefix("<?") {
            rest = after(instruction, "?>")?;
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            rest = after(comment, "-->")?;
        } else {
            let head = rest.get(..DOCTYPE.len())?;
            return head
                .eq_ignore_ascii_case(DOCTYPE)
                .then(|| &rest[DOCTYPE.len()..]);
        }
    }
    None
}

fn declares_external_entity(declaration: &str) -> bool {
    let Some((_, subset)) = declaration.split_once('[') else {
        return false;
    };
    let mut rest = subset;
    while let Some(at) = rest.find("<!") {
        rest = &rest[at + 2..];
        if let Some(comment) = rest.strip_prefix("--") {
            let Some(next) = after(comment, "-->") else {
                return false;
            };
            rest = next;
            continue;
        }
        let is_entity = rest
            .get(..ENTITY.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(ENTITY));
        if is_entity && is_external(&rest[ENTITY.len()..]) {
            return true;
        }
    }
    false
}

// `name SYSTEM "…"`, `% name PUBLIC "…" "…"`.
fn is_external(entity: &str) -> bool {
    let mut words = entity.split_ascii_whitespace().filter(|word| *word != "%");
    let _name = words.next();
    words.next().is_some_and(|word| {
        ["system", "public"].iter().any(|keyword| {
            word.get(..keyword.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(keyword))
        })
    })
}

// Publishers' document types are named by a public identifier and an address on the web, or a file beside the document.
fn is_external_subset(declaration: &str) -> bool {
    let head = declaration.split(['[', '>']).next().unwrap_or(declaration);
    let mut words = head.splitn(3, |character: char| character.is_ascii_whitespace());
    let (_space, _name, identifier) = (words.next(), words.next(), words.next());
    let Some(identifier) = identifier.map(str::trim_start) else {
        return false;
    };
    let lower = identifier.to_ascii_lowercase();
    let quoted: Vec<&str> = lower.split(['"', '\'']).skip(1).step_by(2).collect();
    if lower.starts_with("system") {
        quoted.first().is_some_and(|address| {
            address.contains("://") && !is_publisher(address) || address.starts_with(['/', '\\'])
        })
    } else if lower.starts_with("public") {
        quoted.get(1).is_some_and(|address| {
            let is_web = address.starts_with("http://") || address.starts_with("https://");
            address.contains("://") && !is_web || address.starts_with('/')
        })
    } else {
        false
    }
}

fn is_publisher(address: &str) -> bool {
    PUBLISHERS.iter().any(|publisher| {
        ["http://", "https://"]
            .iter()
            .filter_map(|scheme| address.strip_prefix(scheme))
            .any(|rest| {
                rest.strip_prefix(publisher)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
    })
}

fn includes_file(document: &str) -> bool {
    if !document.contains("http://www.w3.org/2001/XInclude") {
        return false;
    }
    document
        .match_indices(":include")
        .take(INCLUSIONS)
        .any(|(at, _)| {
            let tag = document[at..].split('>').next().unwrap_or_default();
            tag.split_once("href=").is_some_and(|(_, address)| {
                let address = address.trim_start_matches(['"', '\'']).to_ascii_lowercase();
                address.starts_with('/')
                    || address
                        .split(['"', '\''])
                        .next()
                        .is_some_and(|address| address.contains("://"))
            })
        })
}

fn after<'text>(text: &'text str, end: &str) -> Option<&'text str> {
    text.find(end).map(|at| &text[at + end.len()..])
}

const MARKUP: Characters = Characters::of("<");
const DOCTYPE: &str = "<!DOCTYPE";
const ENTITY: &str = "ENTITY";
const PUBLISHERS: &[&str] = &[
    "www.w3.org",
    "www.apple.com",
    "java.sun.com",
    "xmlns.jcp.org",
];
const PROLOG_ITEMS: usize = 64;
const INCLUSIONS: usize = 64;
