//! The kinds of environments, by the names that options and reports have.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where pods can run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentKind {
    /// A cluster of the user's.
    Existing,
    /// A cluster that k3d makes.
    K3d,
    /// A cluster that kind makes.
    Kind,
    /// Namespaces of this machine.
    Local,
}

impl EnvironmentKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Existing, Self::K3d, Self::Kind, Self::Local];

    /// Returns the name that options and reports have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Existing => "existing",
            Self::K3d => "k3d",
            Self::Kind => "kind",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for EnvironmentKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that no environment has.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{name}` is neither `existing`, `k3d`, `kind` nor `local`")]
pub struct UnknownEnvironment {
    /// The name.
    pub name: String,
}

impl FromStr for EnvironmentKind {
    type Err = UnknownEnvironment;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownEnvironment { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_in_options_and_in_reports() {
        for kind in EnvironmentKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            let reported = serde_json::to_value(kind).expect("JSON");
            assert_eq!(reported, serde_json::Value::from(kind.as_str()));
        }
        let error = "minikube".parse::<EnvironmentKind>().expect_err("unknown");
        assert!(error.to_string().contains("minikube"), "{error}");
    }
}
