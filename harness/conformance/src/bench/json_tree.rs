//! Looks through a proxy configuration as a tree of JSON, and changes what it finds.

use serde_json::Value;

/// Returns whether a value is of a type, by the end of its URL.
pub(super) fn is_of_type(value: &Value, url_end: &str) -> bool {
    let url = value.get("@type").and_then(Value::as_str);
    url.is_some_and(|url| url.ends_with(url_end))
}

/// Takes what is unwanted out of every list.
pub(super) fn remove(value: &mut Value, is_unwanted: &impl Fn(&Value) -> bool) {
    visit_mut(value, &mut |value| {
        if let Value::Array(items) = value {
            items.retain(|item| !is_unwanted(item));
        }
    });
}

/// Gives what is called by one name another.
pub(super) fn rename(value: &mut Value, from: &str, to: &str) {
    visit_mut(value, &mut |value| {
        for field in ["name", "cluster_name"] {
            if let Some(name) = value.get_mut(field)
                && name == from
            {
                *name = to.into();
            }
        }
    });
}

/// Returns the first port below a value.
pub(super) fn port(value: &Value) -> Option<u16> {
    let mut port = None;
    visit(value, &mut |value| {
        let number = value.get("port_value").and_then(Value::as_u64);
        port = port.or(number.and_then(|number| u16::try_from(number).ok()));
    });
    port
}

/// Sets every port below a value.
pub(super) fn set_port(value: &mut Value, port: u16) {
    visit_mut(value, &mut |value| {
        if let Some(number) = value.get_mut("port_value") {
            *number = port.into();
        }
    });
}

/// Returns whether anything below a value is wanted.
pub(super) fn find(value: &Value, is_wanted: &impl Fn(&Value) -> bool) -> bool {
    let mut found = false;
    visit(value, &mut |value| found |= is_wanted(value));
    found
}

/// Shows everything below a value, from the outside to the inside.
pub(super) fn visit(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| visit(field, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Lets every list and every object below a value be changed, from the outside to the inside.
pub(super) fn visit_mut(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    if value.is_object() || value.is_array() {
        change(value);
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit_mut(item, change)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| visit_mut(field, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
