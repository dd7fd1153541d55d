//! Reads a line of the proxy's access log. Envoy writes what it has no value for as `null`, and some numbers as texts.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::log_line::ParsedLine;
use super::proxy::ProxyRecord;
use super::text::Text;
use harness_core::stack::proxy_fitness::TESTIMONY_KEY;

/// What a line of the proxy's access log has to say of a request.
#[derive(Debug)]
pub(super) struct ProxyLine<'a> {
    start: Timestamp,
    status: u16,
    fields: Fields<'a>,
}

/// The fields as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    connection: Field<'a>,
    #[serde(borrow)]
    start: Field<'a>,
    #[serde(borrow)]
    status: Field<'a>,
    #[serde(borrow)]
    flags: Field<'a>,
    #[serde(borrow)]
    details: Field<'a>,
    #[serde(borrow)]
    upstream: Field<'a>,
    #[serde(borrow)]
    attempts: Field<'a>,
    #[serde(borrow)]
    agent_request_id: Field<'a>,
    #[serde(borrow)]
    peer_address: Field<'a>,
    #[serde(borrow)]
    authentication_microseconds: Field<'a>,
    #[serde(borrow)]
    authorization_microseconds: Field<'a>,
    #[serde(borrow)]
    failure_mode_allowed: Field<'a>,
    #[serde(borrow)]
    duration_milliseconds: Field<'a>,
}

/// One of them.
#[derive(Debug, Default)]
enum Field<'a> {
    /// Absent, `null`, or nothing that is read.
    #[default]
    Nothing,
    Number(u64),
    Text(Cow<'a, str>),
}

impl<'a> ProxyLine<'a> {
    /// Reads a line.
    pub(super) fn read(line: &'a str) -> ParsedLine<Self> {
        let whole = serde_json::from_str::<Line<'a>>(line).ok();
        let read = || {
            let fields = whole?.0?;
            Some(Self {
                start: fields.start.text()?.parse().ok()?,
                status: u16::try_from(fields.status.number()?).ok()?,
                fields,
            })
        };
        match read() {
            Some(line) if line.fields.id.text().unwrap_or_default().is_empty() => {
                ParsedLine::WithoutId(line)
            }
            Some(line) => ParsedLine::Record(line),
            None => ParsedLine::Other,
        }
    }

    /// Returns the request's id; it is empty where the line has none.
    pub(super) fn into_id(self) -> Cow<'a, str> {
        self.fields.id.into_text().unwrap_or_default()
    }

    /// Makes the record of it.
    pub(super) fn into_record(self) -> ProxyRecord {
        let Self {
            start,
            status,
            fields,
        } = self;
        let owned = |field: Field<'a>| field.into_text().map(Cow::into_owned);
        let attempts = fields.attempts.number();
        ProxyRecord {
            connection: fields.connection.number(),
            start,
            status,
            flags: fields
                .flags
                .text()
                .unwrap_or_default()
                .split(',')
                .filter(|flag| !flag.is_empty() && *flag != "-")
                .map(str::to_owned)
                .collect(),
            attempts: attempts.and_then(|count| u32::try_from(count).ok()),
            authentication_microseconds: fields.authentication_microseconds.number(),
            authorization_microseconds: fields.authorization_microseconds.number(),
            failure_mode_allowed: fields.failure_mode_allowed.text() == Some("true"),
            duration_milliseconds: fields.duration_milliseconds.number().unwrap_or_default(),
            id: owned(fields.id).unwrap_or_default(),
            details: owned(fields.details).unwrap_or_default(),
            upstream: owned(fields.upstream),
            agent_request_id: owned(fields.agent_request_id),
            peer_address: owned(fields.peer_address),
        }
    }
}

impl<'a> Field<'a> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing | Self::Number(_) => None,
        }
    }

    fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing | Self::Number(_) => None,
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// A whole line: what stands under the key of the testimony.
struct Line<'a>(Option<Fields<'a>>);

impl<'de> Deserialize<'de> for Line<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut testimony = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if &*key == TESTIMONY_KEY {
                testimony = Some(map.next_value::<Fields<'de>>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Line(testimony))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Nothing)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(number).map_or(Field::Nothing, Field::Number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Field::Number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Nothing)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Nothing)
    }
}
