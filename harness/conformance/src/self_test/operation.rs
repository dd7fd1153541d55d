//! What a change does at the places that its path selects in a document.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::document_path::{NodePath, Segment, value_at, value_at_mut};

/// What is done with each value that a path selects.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Adds a value to the end of the list.
    Append(Value),
    /// Puts a value into the list, behind the selected element.
    InsertAfter(Value),
    /// Puts a value into the list, before the selected element.
    InsertBefore(Value),
    /// Sets keys of the map; the others stay.
    Merge(Map<String, Value>),
    /// Removes it.
    Remove,
    /// Gives its key another name.
    Rename(String),
    /// Puts the selected elements of a list there again, behind the last of them.
    Repeat,
    /// Writes one part of the text otherwise.
    ReplaceText(TextReplacement),
    /// Puts another value in its place.
    Set(Value),
}

/// A part of a text and what stands there then.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TextReplacement {
    /// The part, as it is written.
    pub text: String,
    /// What stands there then.
    pub by: String,
}

/// Why an operation does not fit what its path selects.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OperationError {
    /// The selected value is no element of a list.
    #[error("`{operation}` is for an element of a list")]
    NotAnElement {
        /// The operation.
        operation: &'static str,
    },
    /// The selected value does not stand under a key.
    #[error("`{operation}` is for a value that stands under a key")]
    NotUnderAKey {
        /// The operation.
        operation: &'static str,
    },
    /// The selected value is of another type.
    #[error("`{operation}` is for a {wanted}")]
    OtherType {
        /// The operation.
        operation: &'static str,
        /// The type that it is for.
        wanted: &'static str,
    },
    /// The document itself is selected.
    #[error("`{operation}` is for a part of a document, not for the whole")]
    WholeDocument {
        /// The operation.
        operation: &'static str,
    },
}

impl Operation {
    /// Changes a document at these places.
    ///
    /// # Errors
    ///
    /// The operation does not fit one of the places. Some of the others may be changed by then.
    pub fn apply(
        &self,
        document: &mut Value,
        mut places: Vec<NodePath>,
    ) -> Result<(), OperationError> {
        // From the end, so that what is inserted or removed moves no place that is still to come.
        places.sort();
        if matches!(self, Self::Repeat) {
            return self.repeat(document, &places);
        }
        for place in places.iter().rev() {
            self.apply_at(document, place)?;
        }
        Ok(())
    }

    fn apply_at(&self, document: &mut Value, place: &NodePath) -> Result<(), OperationError> {
        match self {
            Self::Append(value) => match value_at_mut(document, place) {
                Some(Value::Array(list)) => list.push(value.clone()),
                _ => return Err(self.other_type("list")),
            },
            Self::InsertAfter(value) => {
                let (list, index) = self.element(document, place)?;
                list.insert(index + 1, value.clone());
            }
            Self::InsertBefore(value) => {
                let (list, index) = self.element(document, place)?;
                list.insert(index, value.clone());
            }
            Self::Merge(fields) => match value_at_mut(document, place) {
                Some(Value::Object(map)) => map.extend(fields.clone()),
                _ => return Err(self.other_type("map")),
            },
            Self::Remove => self.remove(document, place)?,
            Self::Rename(name) => self.rename(document, place, name)?,
            Self::Repeat => self.repeat(document, std::slice::from_ref(place))?,
            Self::ReplaceText(replacement) => match value_at_mut(document, place) {
                Some(Value::String(text)) => {
                    *text = text.replace(&replacement.text, &replacement.by);
                }
                _ => return Err(self.other_type("text")),
            },
            Self::Set(value) => {
                if let Some(selected) = value_at_mut(document, place) {
                    *selected = value.clone();
                }
            }
        }
        Ok(())
    }

    fn remove(&self, document: &mut Value, place: &NodePath) -> Result<(), OperationError> {
        let (last, parent) = self.split(place)?;
        match (value_at_mut(document, parent), last) {
            (Some(Value::Object(map)), Segment::Key(key)) => {
                map.shift_remove(key);
            }
            (Some(Value::Array(elements)), Segment::Index(index)) => {
                elements.remove(*index);
            }
            _ => {}
        }
        Ok(())
    }

    fn rename(
        &self,
        document: &mut Value,
        place: &NodePath,
        name: &str,
    ) -> Result<(), OperationError> {
        let (last, parent) = self.split(place)?;
        let (Some(Value::Object(map)), Segment::Key(key)) = (value_at_mut(document, parent), last)
        else {
            return Err(OperationError::NotUnderAKey {
                operation: self.name(),
            });
        };
        if let Some(value) = map.shift_remove(key) {
            map.insert(name.into(), value);
        }
        Ok(())
    }

    fn repeat(&self, document: &mut Value, places: &[NodePath]) -> Result<(), OperationError> {
        // Places of one list are neighbours, since they are sorted.
        let lists = places.chunk_by(|left, right| parent_of(left) == parent_of(right));
        let lists: Vec<&[NodePath]> = lists.collect();
        for places in lists.into_iter().rev() {
            let Some(last) = places.last() else { continue };
            let copies: Vec<Value> = places
                .iter()
                .filter_map(|place| value_at(document, place))
                .cloned()
                .collect();
            let (elements, index) = self.element(document, last)?;
            for copy in copies.into_iter().rev() {
                elements.insert(index + 1, copy);
            }
        }
        Ok(())
    }

    fn element<'a>(
        &self,
        document: &'a mut Value,
        place: &NodePath,
    ) -> Result<(&'a mut Vec<Value>, usize), OperationError> {
        let (last, parent) = self.split(place)?;
        match (value_at_mut(document, parent), last) {
            (Some(Value::Array(elements)), Segment::Index(index)) => Ok((elements, *index)),
            _ => Err(OperationError::NotAnElement {
                operation: self.name(),
            }),
        }
    }

    fn split<'a>(
        &self,
        place: &'a NodePath,
    ) -> Result<(&'a Segment, &'a [Segment]), OperationError> {
        place.split_last().ok_or(OperationError::WholeDocument {
            operation: self.name(),
        })
    }

    const fn other_type(&self, wanted: &'static str) -> OperationError {
        OperationError::OtherType {
            operation: self.name(),
            wanted,
        }
    }

    /// Returns the name as files write it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Append(_) => "append",
            Self::InsertAfter(_) => "insert-after",
            Self::InsertBefore(_) => "insert-before",
            Self::Merge(_) => "merge",
            Self::Remove => "remove",
            Self::Rename(_) => "rename",
            Self::Repeat => "repeat",
            Self::ReplaceText(_) => "replace-text",
            Self::Set(_) => "set",
        }
    }
}

fn parent_of(place: &NodePath) -> &[Segment] {
    place.split_last().map_or(&[], |(_, parent)| parent)
}

#[cfg(test)]
#[path = "operation_tests.rs"]
mod tests;
