//! A YAML document of any shape, with the place of each value: for files whose format is not this project's.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::located::{Located, Position};

/// One value of a document.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Content,
    /// Where it stands; what an alias or a merge key repeats stands where it is written out.
    pub position: Position,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Text, a number, a truth value or nothing.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// Fields in the order in which they stand.
    Fields(Vec<(Located<String>, Node)>),
}

impl Node {
    /// Returns a field. Names of protobuf fields have two spellings in JSON, so that `stat_prefix` finds `statPrefix` as well.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.field(name).map(|(_, value)| value)
    }

    /// Returns a field with its name's place, as [`Node::get`] finds it.
    pub fn field(&self, name: &str) -> Option<&(Located<String>, Self)> {
        let other = camel_case(name);
        self.fields()
            .iter()
            .find(|(key, _)| key.value == name || key.value == other)
    }

    /// Returns what stands at the end of a path of fields, each found as [`Node::get`] does.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// Returns the fields; none where it is no mapping.
    pub fn fields(&self) -> &[(Located<String>, Self)] {
        match &self.value {
            Content::Fields(fields) => fields,
            Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    /// Returns the items; none where it is no list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Content::List(items) => items,
            Content::Scalar(_) | Content::Fields(_) => &[],
        }
    }

    /// Returns the text that it is.
    pub fn as_str(&self) -> Option<&str> {
        self.scalar().and_then(Value::as_str)
    }

    /// Returns the whole number that it is. In protobuf's JSON a number may stand in quotes.
    pub fn as_u64(&self) -> Option<u64> {
        let scalar = self.scalar()?;
        scalar.as_u64().or_else(|| scalar.as_str()?.parse().ok())
    }

    /// Returns whether it is `true`.
    pub fn is_true(&self) -> bool {
        self.scalar() == Some(&Value::Bool(true))
    }

    /// Returns the place of a field's name, else its own.
    pub fn place_of(&self, field: &str) -> Position {
        self.field(field)
            .map_or(self.position, |(key, _)| key.position)
    }

    /// Returns the place to which a path as `spec.containers[0].name` leads, or the nearest before it that exists: the name of the last
    /// field, and the whole item of a list.
    pub fn place_of_path(&self, path: &str) -> Position {
        let mut node = self;
        let mut place = self.position;
        for step in path.split(['.', '[']) {
            let next = match step.strip_suffix(']') {
                Some(index) => {
                    let index = index.parse::<usize>().ok();
                    index.and_then(|index| Some((node.items().get(index)?, None)))
                }
                None => node
                    .field(step)
                    .map(|(key, value)| (value, Some(key.position))),
            };
            let Some((value, name)) = next else { break };
            node = value;
            place = name.unwrap_or(value.position);
        }
        place
    }

    /// Returns the messages of a protobuf type below this place, by the end of the type's URL: what is packed as it is, and what is packed
    /// as a `TypedStruct`.
    pub fn of_type(&self, url_end: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        self.visit(&mut |node| {
            let is_wanted = |name: &str| {
                let url = node.get(name).and_then(Self::as_str);
                url.is_some_and(|url| url.ends_with(url_end))
            };
            if is_wanted("@type") {
                found.push(node);
            } else if is_wanted("type_url") {
                found.extend(node.get("value"));
            }
        });
        found
    }

    /// Returns whether a text, in whatever case, stands in a name or a value below this place.
    pub fn mentions(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let is_in = |other: &str| other.to_ascii_lowercase().contains(&text);
        let mut found = false;
        self.visit(&mut |node| {
            found |= node.as_str().is_some_and(is_in)
                || node.fields().iter().any(|(key, _)| is_in(&key.value));
        });
        found
    }

    /// Shows every value to `see`, this one first.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match &self.value {
            Content::Scalar(_) => {}
            Content::List(items) => {
                for item in items {
                    item.visit(see);
                }
            }
            Content::Fields(fields) => {
                for (_, value) in fields {
                    value.visit(see);
                }
            }
        }
    }

    /// Returns the same without places.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Fields(fields) => fields
                .iter()
                .map(|(key, value)| (key.value.clone(), value.to_json()))
                .collect(),
        }
    }

    const fn scalar(&self) -> Option<&Value> {
        match &self.value {
            Content::Scalar(value) => Some(value),
            Content::List(_) | Content::Fields(_) => None,
        }
    }
}

/// Returns the other spelling of a protobuf field's name: `statPrefix` of `stat_prefix`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut joined = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut characters = word.chars();
        joined.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        joined.push_str(characters.as_str());
    }
    joined
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Located { value, position } = where_defined(Spanned::deserialize(deserializer)?);
        Ok(Self { value, position })
    }
}

fn where_defined<T>(spanned: Spanned<T>) -> Located<T> {
    Located {
        position: spanned.defined.into(),
        value: spanned.value,
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            fields.push((where_defined(name), value));
        }
        Ok(Content::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: &a\n  - { stat_prefix: x, n: \"7\" }\n  - 200: true\nb: *a\nc:\n";

    fn tree() -> Node {
        serde_saphyr::from_str(TEXT).expect("YAML")
    }

    #[test]
    fn a_tree_is_what_the_reader_makes_of_it_without_places() {
        let value: Value = serde_saphyr::from_str(TEXT).expect("YAML");
        assert_eq!(tree().to_json(), value);
    }

    #[test]
    fn every_value_and_every_name_has_its_place() {
        let tree = tree();
        for (path, line, column) in [
            ("a", 1, 1),
            ("a[0].stat_prefix", 2, 7),
            ("a[1].200", 3, 5),
            ("a[0].missing", 2, 5),
            ("b", 4, 1),
            ("b[0].stat_prefix", 2, 7),
        ] {
            let place = tree.place_of_path(path);
            assert_eq!((place.line, place.column), (line, column), "{path}");
        }
        let text = tree.get("a").expect("a").items()[0].get("stat_prefix");
        let place = text.expect("text").position;
        assert_eq!((place.line, place.column, place.length), (2, 20, 1));
    }

    #[test]
    fn both_spellings_of_a_protobuf_field_are_found() {
        let tree: Node = serde_saphyr::from_str("portValue: \"9901\"\nok: true\n").expect("YAML");
        assert_eq!(tree.get("port_value").and_then(Node::as_u64), Some(9901));
        assert!(tree.get("ok").is_some_and(Node::is_true));
        assert!(tree.get("port").is_none());
    }

    #[test]
    fn messages_are_found_by_type_however_they_are_packed() {
        let text = "x: { \"@type\": a.b.C, n: 1 }\ny: [{ \"@type\": t.TypedStruct, type_url: a.b.C, value: { n: 2 } }]\n";
        let tree: Node = serde_saphyr::from_str(text).expect("YAML");
        let numbers = tree.of_type("b.C").into_iter();
        let numbers = numbers.map(|node| node.get("n").and_then(Node::as_u64));
        assert_eq!(numbers.collect::<Vec<_>>(), [Some(1), Some(2)]);
    }
}
