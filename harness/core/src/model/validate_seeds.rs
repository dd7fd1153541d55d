//! What a parser cannot check of seed files: names across files, values, twins, positions.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::complaints::Complaints;
use super::diagnostic::Diagnostic;
use super::located::{Located, Position};
use super::payload::PayloadClass;
use super::seed::{Seed, SeedEntry, SeedFile, SeedValueError, value_bytes};
use super::seed_position::{Encoding, SeedPosition};
use super::validate_requests::is_plain_name;

/// The longest name of a seed: position and encoding are added to it in the names of cases.
const NAME_LIMIT_BYTES: usize = 48;

/// The names of seeds that were read so far, with the places at which they stand.
pub(super) type KnownNames = BTreeMap<String, (Utf8PathBuf, Position)>;

/// Checks a seed file and returns its seeds; those that are wrong are complained of and left out.
pub(super) fn seeds(
    file: &Utf8Path,
    text: &Arc<str>,
    content: &SeedFile,
    known: &mut KnownNames,
    list: &mut Vec<Diagnostic>,
) -> Vec<Seed> {
    let mut complaints = Complaints { file, text, list };
    if content.seeds.is_empty() {
        complaints.add(
            content.class.position,
            "the file has no seeds",
            "add to `seeds:` or remove the file",
        );
    }
    let mut checked = Vec::new();
    for entry in &content.seeds {
        check_name(&entry.name, known, &mut complaints);
        if entry.why.trim().is_empty() {
            complaints.add(
                entry.why.position,
                format!("the seed `{}` does not say why it is there", *entry.name),
                "write one sentence that says what it catches",
            );
        }
        checked.extend(check_entry(*content.class, entry, &mut complaints));
    }
    checked
}

fn check_name(name: &Located<String>, known: &mut KnownNames, complaints: &mut Complaints<'_>) {
    if !is_plain_name(name) || name.len() > NAME_LIMIT_BYTES {
        complaints.add(
            name.position,
            format!("`{}` is not a name", **name),
            format!("use lower-case letters, digits and hyphens, at most {NAME_LIMIT_BYTES}"),
        );
    }
    let place = (complaints.file.to_owned(), name.position);
    if let Some((file, position)) = known.insert(name.value.clone(), place) {
        complaints.add(
            name.position,
            format!(
                "the seed name `{}` is taken in {file} on line {}",
                **name, position.line
            ),
            "names are unique over all seed files; say what is different",
        );
    }
}

fn check_entry(
    class: PayloadClass,
    entry: &SeedEntry,
    complaints: &mut Complaints<'_>,
) -> Option<Seed> {
    let value = check_value(entry, complaints);
    let twin = check_twin(class, entry, complaints);
    check_places(entry, complaints);
    let seed = Seed {
        name: entry.name.clone(),
        class,
        why: entry.why.value.clone(),
        value: value?,
        twin: twin.ok()?,
        positions: values_of(&entry.positions),
        encodings: entry.encodings.as_deref().map(values_of),
    };
    let mut is_whole = true;
    for position in &*entry.positions {
        if seed.encodings_at(position.value).is_empty() {
            is_whole = false;
            complaints.add(
                position.position,
                format!("`{}` cannot stand at `{}`", *entry.name, **position),
                hint_for_place(&seed, position.value),
            );
        }
    }
    is_whole.then_some(seed)
}

fn values_of<T: Copy>(located: &[Located<T>]) -> Vec<T> {
    located.iter().map(|item| item.value).collect()
}

fn hint_for_place(seed: &Seed, position: SeedPosition) -> String {
    let known: Vec<&str> = position
        .encodings()
        .iter()
        .map(|known| known.as_str())
        .collect();
    let is_listed = |encoding: &Encoding| {
        seed.encodings
            .as_ref()
            .is_none_or(|listed| listed.contains(encoding))
    };
    if position.encodings().iter().any(is_listed) {
        "the value or its twin has bytes that the position cannot carry; leave the position out"
            .into()
    } else {
        format!("its encodings are {}", known.join(", "))
    }
}

fn check_value(entry: &SeedEntry, complaints: &mut Complaints<'_>) -> Option<Vec<u8>> {
    match value_bytes(entry.value.as_ref(), entry.value_base64.as_ref()) {
        Ok(Some(bytes)) => Some(bytes),
        Ok(None) => {
            complaints.add(
                entry.name.position,
                format!("the seed `{}` has no value", *entry.name),
                "add `value:` or `value-base64:`",
            );
            None
        }
        Err(error) => {
            let written = entry.value_base64.as_ref().or(entry.value.as_ref());
            complain_of_value(&error, written, complaints);
            None
        }
    }
}

/// Returns the twin; the error is that it was complained of.
fn check_twin(
    class: PayloadClass,
    entry: &SeedEntry,
    complaints: &mut Complaints<'_>,
) -> Result<Option<Vec<u8>>, ()> {
    let written = entry.twin_base64.as_ref().or(entry.twin.as_ref());
    let twin = match value_bytes(entry.twin.as_ref(), entry.twin_base64.as_ref()) {
        Ok(twin) => twin,
        Err(error) => {
            complain_of_value(&error, written, complaints);
            return Err(());
        }
    };
    match (class, &twin) {
        (PayloadClass::Benign, None) => Ok(None),
        (PayloadClass::Benign, Some(_)) => {
            complaints.add(
                written.map_or(entry.name.position, |written| written.position),
                format!("the benign seed `{}` has a twin", *entry.name),
                "make the twin a seed of its own",
            );
            Err(())
        }
        (_, None) => {
            complaints.add(
                entry.name.position,
                format!("the attack `{}` has no benign twin", *entry.name),
                "add `twin:` with the nearest value that must pass",
            );
            Err(())
        }
        (_, Some(_)) => Ok(twin),
    }
}

fn complain_of_value(
    error: &SeedValueError,
    written: Option<&Located<String>>,
    complaints: &mut Complaints<'_>,
) {
    let hint = match error {
        SeedValueError::Base64(_) => "encode the bytes anew; `base64` on the command line does",
        SeedValueError::BothForms => "keep one of the two",
        SeedValueError::Empty => "an empty value attacks nothing; write one",
        SeedValueError::TooLong { .. } => "cut it to what makes it an attack",
    };
    complaints.add(
        written.map(|written| written.position).unwrap_or_default(),
        error.to_string(),
        hint,
    );
}

fn check_places(entry: &SeedEntry, complaints: &mut Complaints<'_>) {
    if entry.positions.is_empty() {
        complaints.add(
            entry.positions.position,
            format!("the seed `{}` has no position", *entry.name),
            "name where the value applies, as in `[query, form, json]`",
        );
    }
    for (index, position) in entry.positions.iter().enumerate() {
        if entry.positions[..index]
            .iter()
            .any(|earlier| earlier.value == position.value)
        {
            complaints.add(
                position.position,
                format!("`{}` is listed twice", **position),
                "requests are named after it; keep one",
            );
        }
    }
}
