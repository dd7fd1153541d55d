//! Leaving a directory: `../` and `..\` as path segments, and the files that attacks reach for.
//!
//! Prose mentions relative paths, so a text with white space counts only when it reaches for a well-known file.

/// Returns the detector's name when the text leaves a directory or names a file that only attacks ask for.
pub(crate) fn detect(text: &str) -> Option<String> {
    let normal = text.to_ascii_lowercase().replace('\\', "/");
    let climbs = climbs(&normal);
    let reaches = SENSITIVE_FILES.iter().any(|file| normal.contains(file));
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
        let segment = before
            .rfind(['/', '=', ':', ',', '"', '\'', '(', ' ', '\n'])
            .map_or(before, |at| &before[at + 1..]);
        // `....//` is what remains harmful after one removal of `../`; `..;` is a segment that some servers read as `..`.
        matches!(segment, ".." | "....") || segment == "..;"
    })
}

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
