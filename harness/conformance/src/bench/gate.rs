//! The gate of a benchmark: limits on what may be added, read from a file, and what a record says to each.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::record::BenchRecord;
use harness_core::model::complaints::Complaints;
use harness_core::model::located::Located;
use harness_core::model::parse::parse;
use harness_core::model::project::{LoadError, Project, read_bounded};
use harness_verdict::latency::difference::Difference;
use harness_verdict::latency::percentile::Percentile;

/// The file of a gate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GateFile {
    /// The limits; all have to be kept.
    pub limits: Located<Vec<Limit>>,
}

/// A limit. At least one of `most-microseconds` and `most-percent` is given; both hold where both are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limit {
    /// What is limited.
    pub of: Quantity,
    /// At which percentile.
    pub percentile: Percentile,
    /// The most that may be added, in microseconds.
    #[serde(default)]
    pub most_microseconds: Option<Located<f64>>,
    /// The most that may be added, in per cent of what it is added to.
    #[serde(default)]
    pub most_percent: Option<Located<f64>>,
}

/// A difference that can be limited.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Agent B above agent A.
    BAboveA,
    /// Agent A above the filter that is disabled: the whole hop.
    AAboveDisabled,
    /// Agent A above the null agent: what is the agent's own.
    AAboveNull,
}

/// What became of a limit.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JudgedLimit {
    /// The limit in words.
    pub limit: String,
    /// What was measured, in words.
    pub observed: String,
    /// What follows.
    pub result: LimitResult,
}

/// What follows for a limit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitResult {
    /// The whole 95 % interval is beyond it.
    Broken,
    /// The interval is on both sides of it, or the percentile was not judged.
    Inconclusive,
    /// The whole interval is within it.
    Kept,
}

/// Reads a gate.
///
/// # Errors
///
/// When the file cannot be read or is wrong; each complaint says where.
pub fn load_gate(path: &Utf8Path) -> Result<GateFile, LoadError> {
    let path = camino::absolute_utf8(path).unwrap_or_else(|_| path.into());
    let folder = path.parent().unwrap_or(Utf8Path::new("/"));
    let file = Utf8PathBuf::from(path.file_name().unwrap_or_default());
    let mut list = Vec::new();
    let text = read_bounded(&Project::at(folder), &path, &mut list)?;
    let gate = if list.is_empty() {
        parse::<GateFile>(&file, &text, &mut list)
    } else {
        None
    };
    if let Some(gate) = &gate {
        let mut complaints = Complaints {
            file: &file,
            text: &text,
            list: &mut list,
        };
        check(gate, &mut complaints);
    }
    match gate {
        Some(gate) if list.is_empty() => Ok(gate),
        Some(_) | None => Err(LoadError::Invalid(list)),
    }
}

fn check(gate: &GateFile, complaints: &mut Complaints<'_>) {
    if gate.limits.is_empty() {
        let hint = "write one, as `{ of: b-above-a, percentile: p50, most-microseconds: 50 }`";
        complaints.add(
            gate.limits.position,
            "a gate without limits lets everything through",
            hint,
        );
    }
    for limit in &**gate.limits {
        let given = [limit.most_microseconds, limit.most_percent];
        if given.iter().all(Option::is_none) {
            complaints.add(
                gate.limits.position,
                format!(
                    "the limit of {} at {} has no number",
                    limit.of, limit.percentile
                ),
                "write `most-microseconds`, `most-percent`, or both",
            );
        }
        for number in given.into_iter().flatten() {
            if !number.is_finite() || *number <= 0.0 {
                complaints.add(
                    number.position,
                    "no agent can keep this limit",
                    "write a number above 0",
                );
            }
        }
    }
}

impl GateFile {
    /// Returns what is limited by how A differs from another arm, which says nothing where A stands behind a proxy of its own.
    pub fn of_hop(&self) -> Option<Quantity> {
        let mut limits = self.limits.iter().map(|limit| limit.of);
        limits.find(|of| match of {
            Quantity::AAboveDisabled | Quantity::AAboveNull => true,
            Quantity::BAboveA => false,
        })
    }

    /// Judges every limit.
    pub fn judge(&self, record: &BenchRecord) -> Vec<JudgedLimit> {
        let judge = |limit: &Limit| {
            let measured = limit.of.of(record, limit.percentile);
            let in_microseconds = limit.most_microseconds.map(|most| (*most, "µs"));
            let in_percent = limit.most_percent.map(|most| (*most, "%"));
            let both = in_microseconds.into_iter().chain(in_percent);
            both.map(|(most, unit)| judged(limit, most, unit, measured))
                .collect::<Vec<_>>()
        };
        self.limits.iter().flat_map(judge).collect()
    }
}

fn judged(
    limit: &Limit,
    most: f64,
    unit: &'static str,
    measured: Option<(Difference, f64)>,
) -> JudgedLimit {
    let text = format!(
        "{} at {}: at most {most} {unit}",
        limit.of, limit.percentile
    );
    let Some((difference, base)) = measured else {
        return JudgedLimit {
            limit: text,
            observed: "this percentile was not judged".into(),
            result: LimitResult::Inconclusive,
        };
    };
    let factor = if unit == "%" { 100.0 / base } else { 1.0 };
    let (lower, upper) = (difference.lower * factor, difference.upper * factor);
    JudgedLimit {
        limit: text,
        observed: format!("[{lower:.1}, {upper:.1}] {unit}"),
        result: if upper <= most {
            LimitResult::Kept
        } else if lower > most {
            LimitResult::Broken
        } else {
            LimitResult::Inconclusive
        },
    }
}

impl Quantity {
    /// Returns the difference, and what it is added to in microseconds; none where it was not judged.
    fn of(self, record: &BenchRecord, percentile: Percentile) -> Option<(Difference, f64)> {
        let above = match self {
            Self::BAboveA => {
                let mut comparisons = record.comparisons.iter();
                let found = comparisons.find(|comparison| comparison.percentile == percentile)?;
                return Some((found.candidate_against_baseline, found.baseline));
            }
            Self::AAboveDisabled => Arm::Disabled,
            Self::AAboveNull => Arm::Null,
        };
        let cost = record.cost(Arm::A, above, percentile)?;
        let base = record
            .arms
            .get(&above)?
            .latency_microseconds
            .get(&percentile)?;
        Some((cost, *base))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BAboveA => "b-above-a",
            Self::AAboveDisabled => "a-above-disabled",
            Self::AAboveNull => "a-above-null",
        })
    }
}

impl fmt::Display for LimitResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Broken => "broken",
            Self::Inconclusive => "inconclusive",
            Self::Kept => "kept",
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn written(text: &str) -> Result<GateFile, LoadError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("gate.yaml")).expect("UTF-8");
        std::fs::write(&path, text).expect("a file");
        load_gate(&path)
    }

    #[rstest]
    #[case("limits: []", "lets everything through")]
    #[case("limits: [{ of: b-above-a, percentile: p50 }]", "has no number")]
    #[case(
        "limits: [{ of: b-above-a, percentile: p50, most-microseconds: -1 }]",
        "no agent can keep"
    )]
    #[case(
        "limits: [{ of: b-above-a, percentile: p50, most-percent: .nan }]",
        "no agent can keep"
    )]
    #[case(
        "limits: [{ of: b-above-c, percentile: p50, most-percent: 1 }]",
        "b-above-c"
    )]
    #[case("limit: []", "limit")]
    fn a_gate_that_means_nothing_is_refused_with_its_place(#[case] text: &str, #[case] said: &str) {
        let error = written(text).expect_err("it is wrong");
        let LoadError::Invalid(complaints) = error else {
            panic!("{error}");
        };
        assert!(
            complaints[0].message.contains(said),
            "{}",
            complaints[0].message
        );
        assert_eq!(complaints[0].position.line, 1);
    }

    #[rstest]
    #[case(-5.0, 9.0, LimitResult::Kept)]
    #[case(5.0, 15.0, LimitResult::Inconclusive)]
    #[case(11.0, 15.0, LimitResult::Broken)]
    fn a_limit_is_broken_only_by_a_whole_interval(
        #[case] lower: f64,
        #[case] upper: f64,
        #[case] result: LimitResult,
    ) {
        let text = "limits: [{ of: a-above-null, percentile: p50, most-microseconds: 10, most-percent: 5 }]";
        let gate = written(text).expect("right");
        let difference = Difference {
            estimate: f64::midpoint(lower, upper),
            lower,
            upper,
            generations: 3,
        };
        let limit = &gate.limits[0];
        assert_eq!(
            judged(limit, 10.0, "µs", Some((difference, 200.0))).result,
            result
        );
        // 10 µs are 5 % of 200 µs.
        assert_eq!(
            judged(limit, 5.0, "%", Some((difference, 200.0))).result,
            result
        );
        assert_eq!(
            judged(limit, 10.0, "µs", None).result,
            LimitResult::Inconclusive
        );
    }
}
