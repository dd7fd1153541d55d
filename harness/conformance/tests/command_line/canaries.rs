//! Keys that are planted wherever a key can go, and looked for in everything that a run leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tempfile::TempDir;

use super::support::{carrying_the_agent, command, empty_project, path, write};

/// With characters that URLs, JSON and markup write differently.
const ACCESS_KEY: &str = "11111111-2222-3333-4444-canary555555";
const SECRET_KEY: &str = "canary+secret/0123456789_&<abcdefghijklmnop\"=";

/// The agent says its keys in every form, to every one who listens, and then does its work.
const SHOUTING: &str = r#"
for key in "$SIGSCI_ACCESSKEYID" "$SIGSCI_SECRETACCESSKEY"; do
  echo "$key"
  echo "thread 'main' panicked at src/main.rs:1: called with $key"
  echo "{\"key\":\"$(printf %s "$key" | sed 's/"/\\"/g')\"}"
  for before in '' x xx; do
    printf '%s%s' "$before" "$key" | base64 -w0; echo
    printf '%s%s' "$before" "$key" | base64 -w0 | tr +/ -_; echo
  done
  printf %s "$key" | od -An -tx1 -v | tr -d ' \n'; echo
  printf %s "$key" | od -An -tx1 -v | tr -d ' \n' | tr a-f A-F; echo
  printf %s "$key" | sed 's|+|%2B|g; s|/|%2F|g; s|&|%26|g; s|<|%3C|g; s|"|%22|g; s|=|%3D|g'; echo
  printf %s "$key" | sed 's|+|%2b|g; s|/|%2f|g; s|&|%26|g; s|<|%3c|g; s|"|%22|g; s|=|%3d|g'; echo
  printf %s "$key" | sed 's|&|\&amp;|g; s|<|\&lt;|g; s|"|\&quot;|g'; echo
done | tee /dev/stderr
exec /proc/self/fd/9 "$@"
"#;

/// Returns what must stand nowhere: the key as it is and as others write it.
fn forms(key: &str) -> Vec<String> {
    let percent = |upper: bool| -> String {
        key.chars()
            .map(|character| match character {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' => character.to_string(),
                other if upper => format!("%{:02X}", u32::from(other)),
                other => format!("%{:02x}", u32::from(other)),
            })
            .collect()
    };
    let mut forms = vec![
        key.to_owned(),
        key.replace('"', "\\\""),
        key.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;"),
        percent(true),
        percent(false),
    ];
    forms.push(hex::encode(key));
    forms.push(hex::encode_upper(key));
    for before in ["", "x", "xx"] {
        for engine in [STANDARD, URL_SAFE] {
            let text = engine.encode(format!("{before}{key}"));
            // The ends depend on what stands beside the key.
            forms.push(text[4..text.len() - 4].to_owned());
        }
    }
    forms
}

fn collect(folder: &Path, texts: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, texts);
        } else {
            let content = fs::read(&path).expect("a file");
            texts.push((path.display().to_string(), content));
        }
    }
}

#[test]
fn keys_that_were_planted_everywhere_stand_in_nothing_that_a_run_leaves_behind() {
    let (project, output, programs) = (
        empty_project(),
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    );
    let agent = programs.path().join("shouting-agent");
    fs::write(&agent, carrying_the_agent("fake", SHOUTING)).expect("a program");
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("executable");
    // In a header, a query and a body, of a case that fails: the echo of it stands in the evidence.
    let scenario = format!(
        "id: A01\nsummary: x\nwhy: x\nexchange:\n  cases:\n    - name: leaky\n      intent: benign\n      request:\n        method: POST\n        target: \"/?key={ACCESS_KEY}\"\n        headers: ['x-key: {SECRET_KEY}']\n        body: {{ text: '{SECRET_KEY}' }}\n      expect: {{ outcome: blocked-by-agent }}\n"
    );
    write(&project, "scenarios/decisions/leaky.yaml", scenario);
    let ran = command(&[
        "run",
        "--project",
        path(&project),
        "--output",
        path(&output),
    ])
    .args(["--agent-binary", agent.to_str().expect("UTF-8")])
    .env("CONFORMANCE_ACCESSKEYID", ACCESS_KEY)
    .env("CONFORMANCE_SECRETACCESSKEY", SECRET_KEY)
    .output()
    .expect("the command starts");
    let seen = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{seen}");
    let mut texts = vec![
        ("standard output".to_owned(), ran.stdout),
        ("standard error".to_owned(), ran.stderr),
    ];
    collect(output.path(), &mut texts);
    assert!(texts.len() > 10, "evidence was written: {}", texts.len());
    let redacted = texts
        .iter()
        .filter(|(_, text)| String::from_utf8_lossy(text).contains("[redacted]"))
        .count();
    assert!(
        redacted >= 3,
        "the keys were there to be redacted: {redacted}"
    );
    for key in [ACCESS_KEY, SECRET_KEY] {
        for form in forms(key) {
            for (place, text) in &texts {
                let text = String::from_utf8_lossy(text);
                assert!(!text.contains(&form), "{form} stands in {place}");
            }
        }
    }
}
