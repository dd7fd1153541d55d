//! Leaving a directory: `../` and `..\` as path segments, and the files that attacks reach for.
//!
//! Prose mentions relative paths, so a text with white space counts only when it reaches for a well-known file.

use crate::inspect::characters::Characters;

/// Returns the detector's name when the text leaves a directory or names a file that only attacks ask for.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    if !characters.has_any(SLASHES) {
        return None;
    }
    let normal = text.to_ascii_lowercase().replace('\\', "/");
    let climbs = climbs(&normal);
    let reaches = reaches_file(&normal);
    if !climbs && !reaches {
        return None;
    }
    if normal.contains(char::is_whitespace) {
        return (climbs && reaches).then(|| "STUB-DIR-FILE".into());
    }
    if climbs {
        return Some("STUB-DIR".into());
    }
    (reaches
        && normal
            .trim_start_matches("file://")
            .starts_with(['/', '.', 'c']))
    .then(|| "STUB-FILE".into())
}

fn climbs(normal: &str) -> bool {
    normal.match_indices('/').any(|(end, _)| {
        let before = &normal[..end];
        if !before.ends_with("..") && !before.ends_with("..;") {
            return false;
        }
        let segment = before
            .rfind(['/', '=', ':', ',', '"', '\'', '(', ' ', '\n'])
            .map_or(before, |at| &before[at + 1..]);
        // `....//` is what remains harmful after one removal of `../`; `..;` is a segment that some servers read as `..`.
        matches!(segment, ".." | "....") || segment == "..;"
    })
}

// Each of these names starts with a slash.
fn reaches_file(normal: &str) -> bool {
    normal.match_indices('/').any(|(at, _)| {
        SENSITIVE_FILES
            .iter()
            .any(|file| normal[at..].starts_with(file))
    })
}

const SLASHES: Characters = Characters::of("/\\");
const SENSITIVE_FILES: &[&str] = &[
    "/etc/passwd",
    "/etc/shadow",
    "/etc/hosts",
    "/etc/group",
    "/proc/self/",
    "/.ssh/id_rsa",
    "/.aws/credentials",
    "/.git/config",
    "/windows/win.ini",
    "/windows/system32/",
    "/winnt/",
    "/boot.ini",
    "/web-inf/web.xml",
];
