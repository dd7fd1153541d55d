//! The paths that say which values of a YAML document a change is about.
//!
//! `docs/writing-a-scenario.md` describes the language; a path selects places and knows nothing of what is done there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

/// A path of keys with conditions, as `**/[name=envoy.filters.http.ext_authz]/typed_config`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "String")]
pub struct DocumentPath {
    text: String,
    steps: Vec<PathStep>,
}

/// One value of a document: the keys and indices that lead to it from the root.
pub type NodePath = Vec<Segment>;

/// A key of a map or an index of a list.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Segment {
    /// A value of a map.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// Why a text is no path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathError {
    /// There is nothing between two slashes, or nothing at all.
    #[error("the path `{path}` has an empty step")]
    EmptyStep {
        /// The path.
        path: String,
    },
    /// A bracket is not closed, or something stands behind it.
    #[error("the brackets in the step `{step}` do not end it")]
    Brackets {
        /// The step.
        step: String,
    },
    /// What stands behind the equals sign is not YAML.
    #[error("`{value}` in the path is not a YAML value")]
    Value {
        /// The text.
        value: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct PathStep {
    reach: Reach,
    conditions: Vec<Condition>,
}

/// Where a step goes from a value.
#[derive(Clone, Debug, PartialEq)]
enum Reach {
    /// To the value of one key.
    Key(String),
    /// To every value of a map and every element of a list.
    Children,
    /// To the value itself and to everything below it.
    Descendants,
}

/// What must hold of the value that a step goes to.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Has { field: String },
    FieldIs { field: String, value: Value },
    Is { value: Value },
    Lacks { field: String },
}

impl DocumentPath {
    /// Returns every place of a document that the path leads to, in the document's order.
    pub fn select(&self, document: &Value) -> Vec<NodePath> {
        let mut places = vec![NodePath::new()];
        for step in &self.steps {
            let mut next = Vec::new();
            for place in &places {
                if let Some(value) = value_at(document, place) {
                    step.follow(value, place, &mut next);
                }
            }
            // `**` may reach one place on several ways.
            let mut seen = BTreeSet::new();
            next.retain(|place| seen.insert(place.clone()));
            places = next;
        }
        places
    }
}

impl PathStep {
    fn follow(&self, value: &Value, place: &NodePath, found: &mut Vec<NodePath>) {
        match &self.reach {
            Reach::Key(key) => {
                if let Some(child) = value.get(key) {
                    self.keep(child, below(place, Segment::Key(key.clone())), found);
                }
            }
            Reach::Children => {
                for (segment, child) in children(value) {
                    self.keep(child, below(place, segment), found);
                }
            }
            Reach::Descendants => {
                self.keep(value, place.clone(), found);
                for (segment, child) in children(value) {
                    self.follow(child, &below(place, segment), found);
                }
            }
        }
    }

    fn keep(&self, value: &Value, place: NodePath, found: &mut Vec<NodePath>) {
        if self
            .conditions
            .iter()
            .all(|condition| condition.holds(value))
        {
            found.push(place);
        }
    }
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Has { field } => value.get(field).is_some(),
            Self::FieldIs {
                field,
                value: wanted,
            } => value.get(field) == Some(wanted),
            Self::Is { value: wanted } => value == wanted,
            Self::Lacks { field } => value.is_object() && value.get(field).is_none(),
        }
    }
}

/// Returns the value at a place, where there is one.
pub fn value_at<'a>(document: &'a Value, place: &[Segment]) -> Option<&'a Value> {
    place
        .iter()
        .try_fold(document, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(*index),
        })
}

/// Returns the value at a place, where there is one, to be changed.
pub fn value_at_mut<'a>(document: &'a mut Value, place: &[Segment]) -> Option<&'a mut Value> {
    place
        .iter()
        .try_fold(document, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key),
            Segment::Index(index) => value.get_mut(*index),
        })
}

fn children(value: &Value) -> Vec<(Segment, &Value)> {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, child)| (Segment::Key(key.clone()), child))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, child)| (Segment::Index(index), child))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn below(place: &NodePath, segment: Segment) -> NodePath {
    let mut longer = place.clone();
    longer.push(segment);
    longer
}

impl FromStr for DocumentPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let steps = split_outside_brackets(text, '/')
            .into_iter()
            .map(|step| match step {
                "" => Err(PathError::EmptyStep { path: text.into() }),
                step => read_step(step),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.into(),
            steps,
        })
    }
}

impl TryFrom<String> for DocumentPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn read_step(step: &str) -> Result<PathStep, PathError> {
    let (key, mut rest) = step.split_at(step.find('[').unwrap_or(step.len()));
    let reach = match key {
        "" | "*" => Reach::Children,
        "**" => Reach::Descendants,
        key => Reach::Key(key.into()),
    };
    let mut conditions = Vec::new();
    while !rest.is_empty() {
        let brackets = || PathError::Brackets { step: step.into() };
        let end = end_of_brackets(rest).ok_or_else(brackets)?;
        conditions.push(read_condition(&rest[1..end])?);
        rest = &rest[end + 1..];
    }
    Ok(PathStep { reach, conditions })
}

fn read_condition(text: &str) -> Result<Condition, PathError> {
    let Some((field, value)) = text.split_once('=') else {
        return Ok(match text.strip_prefix('!') {
            Some(field) => Condition::Lacks {
                field: field.into(),
            },
            None => Condition::Has { field: text.into() },
        });
    };
    let value = serde_saphyr::from_str(value).map_err(|_| PathError::Value {
        value: value.into(),
    })?;
    Ok(match field {
        "" => Condition::Is { value },
        field => Condition::FieldIs {
            field: field.into(),
            value,
        },
    })
}

/// Returns where the brackets end that begin a text; brackets inside belong to a value.
fn end_of_brackets(text: &str) -> Option<usize> {
    if !text.starts_with('[') {
        return None;
    }
    let mut depth = 0_usize;
    for (index, character) in text.char_indices() {
        match character {
            '[' => depth += 1,
            ']' if depth == 1 => return Some(index),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|character| {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && character == separator
    })
    .collect()
}

#[cfg(test)]
#[path = "document_path_tests.rs"]
mod tests;
