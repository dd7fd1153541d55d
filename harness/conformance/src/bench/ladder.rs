//! A ladder: one thing is raised from step to step, and each step is measured like a benchmark.

use std::fmt;
use std::str::FromStr;

use super::arm::Arm;
use super::generations::BenchPlan;
use super::inputs::Input;
use super::request::request;
use super::stack::is_fixed;
use harness_traffic::latency::plan::{CONNECTION_LIMIT, RATE_LIMIT};

/// What is raised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Raised {
    /// Requests per second, so many for agent A and as many for the null agent.
    Rate,
    /// Connections of each arm.
    Connections,
    /// The size of the body.
    Body,
    /// What the request is like.
    Input,
    /// An environment variable of agent A.
    Variable(String),
}

/// A step of a ladder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// So many requests per second.
    Rate(u32),
    /// So many connections of each arm.
    Connections(u16),
    /// A body of so many bytes.
    Body(u32),
    /// A request like this.
    Input(Input),
    /// The variable with this value.
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Raised {
    /// Returns the arms that are measured. Where the null agent fails too, it is the proxy or the machine that bears no more, and no agent.
    pub fn arms(&self) -> Vec<Arm> {
        match self {
            Self::Rate => vec![Arm::Null, Arm::A],
            Self::Connections | Self::Body | Self::Input | Self::Variable(_) => {
                vec![Arm::Disabled, Arm::Null, Arm::A]
            }
        }
    }

    /// Returns how many connections each arm has where no number is given. Where the first failure is looked for, no request may wait for a connection
    /// instead of the agent.
    pub const fn usual_connections(&self) -> u16 {
        match self {
            Self::Rate | Self::Variable(_) => CONNECTION_LIMIT,
            Self::Connections | Self::Body | Self::Input => 32,
        }
    }

    /// Returns whether a step at which requests go on without a decision is the last one: a higher one says no more.
    pub const fn ends_at_first_failure(&self) -> bool {
        match self {
            Self::Rate | Self::Variable(_) => true,
            Self::Connections | Self::Body | Self::Input => false,
        }
    }

    /// Returns the steps where none are named; none where they have to be.
    pub fn usual_steps(&self) -> Option<Vec<Step>> {
        match self {
            Self::Rate => Some([125, 250, 500, 1000, 2000, 4000].map(Step::Rate).into()),
            Self::Connections => Some([1, 4, 16, 64].map(Step::Connections).into()),
            Self::Body => Some([0, 1024, 8192, 65_536, 262_144].map(Step::Body).into()),
            Self::Input => Some(Input::ALL.map(Step::Input).into()),
            Self::Variable(_) => None,
        }
    }

    /// Reads a step.
    ///
    /// # Errors
    ///
    /// When it is none of this ladder, with what one looks like.
    pub fn step(&self, text: &str) -> Result<Step, String> {
        let number = |most: u32| {
            let number = text.parse().ok().filter(|number| *number <= most);
            number.ok_or_else(|| format!("`{text}` is no number up to {most}"))
        };
        match self {
            Self::Rate => match number(RATE_LIMIT / 2)? {
                0 => Err("a rate is at least 1".into()),
                rate => Ok(Step::Rate(rate)),
            },
            Self::Connections => {
                let count = u16::try_from(number(CONNECTION_LIMIT.into())?).unwrap_or_default();
                match count {
                    0 => Err("an arm has at least 1 connection".into()),
                    count => Ok(Step::Connections(count)),
                }
            }
            Self::Body => number(BODY_LIMIT).map(Step::Body),
            Self::Input => text.parse().map(Step::Input),
            Self::Variable(name) => Ok(Step::Variable {
                name: name.clone(),
                value: text.into(),
            }),
        }
    }

    /// Says which step is not above the one before it, where they are numbers.
    pub fn unordered<'a>(&self, steps: &'a [Step]) -> Option<&'a Step> {
        let number = |step: &Step| match step {
            Step::Rate(number) | Step::Body(number) => Some(*number),
            Step::Connections(count) => Some((*count).into()),
            Step::Input(_) | Step::Variable { .. } => None,
        };
        steps.windows(2).find_map(|pair| {
            let is_above = number(&pair[1])? > number(&pair[0])?;
            (!is_above).then_some(&pair[1])
        })
    }

    /// Returns what the steps are called in a table and a picture, with the unit.
    pub fn title(&self) -> String {
        match self {
            Self::Rate => "requests/s to each agent".into(),
            Self::Connections => "connections of each arm".into(),
            Self::Body => "body, bytes".into(),
            Self::Input => "input".into(),
            Self::Variable(name) => name.clone(),
        }
    }
}

/// The largest body in bytes.
pub const BODY_LIMIT: u32 = 16 * 1024 * 1024;

impl Step {
    /// Returns the plan of this step, given what all have.
    pub fn plan(&self, plan: &BenchPlan) -> BenchPlan {
        let mut plan = plan.clone();
        match self {
            Self::Rate(rate) => plan.requests_per_second = rate.saturating_mul(2),
            Self::Connections(count) => plan.connections = *count,
            Self::Body(bytes) => plan.request = request(&plan.target, *bytes, 0),
            Self::Input(input) => plan.request = input.request(&plan.target),
            Self::Variable { name, value } => {
                plan.stack.a.variables.insert(name.clone(), value.clone());
            }
        }
        plan
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(number) | Self::Body(number) => number.fmt(formatter),
            Self::Connections(count) => count.fmt(formatter),
            Self::Input(input) => input.fmt(formatter),
            Self::Variable { value, .. } => formatter.pad(value),
        }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => formatter.pad("rate"),
            Self::Connections => formatter.pad("connections"),
            Self::Body => formatter.pad("body"),
            Self::Input => formatter.pad("input"),
            Self::Variable(name) => write!(formatter, "env.{name}"),
        }
    }
}

impl FromStr for Raised {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("env.") {
            Some(name) if name.contains("ACCESSKEY") => {
                Err("keys do not belong on a command line".into())
            }
            Some(name) if is_fixed(name) => Err(format!(
                "`{name}` cannot be chosen: each agent of a benchmark has a port of its own, and no data log"
            )),
            Some("") | None => match text {
                "rate" => Ok(Self::Rate),
                "connections" => Ok(Self::Connections),
                "body" => Ok(Self::Body),
                "input" => Ok(Self::Input),
                _ => Err("write rate, connections, body, input or env.NAME".into()),
            },
            Some(name) => Ok(Self::Variable(name.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("rate", "0", "at least 1")]
    #[case("rate", "60000", "up to 25000")]
    #[case("connections", "x", "no number")]
    #[case("connections", "0", "at least 1")]
    #[case("body", "999999999", "up to 16777216")]
    #[case("input", "bomb", "deep-json")]
    fn what_is_no_step_is_refused(#[case] raised: Raised, #[case] text: &str, #[case] said: &str) {
        let error = raised.step(text).expect_err("it is none");
        assert!(error.contains(said), "{error}");
    }

    #[rstest]
    #[case("speed", "env.NAME")]
    #[case("env.", "env.NAME")]
    #[case("env.SIGSCI_SECRETACCESSKEY", "keys do not belong")]
    #[case("env.SIGSCI_ENVOY_GRPC_ADDRESS", "cannot be chosen")]
    fn what_cannot_be_raised_is_refused(#[case] text: &str, #[case] said: &str) {
        let error = text.parse::<Raised>().expect_err("it cannot");
        assert!(error.contains(said), "{error}");
    }

    #[test]
    fn the_usual_steps_are_steps() {
        for raised in [
            Raised::Rate,
            Raised::Connections,
            Raised::Body,
            Raised::Input,
        ] {
            assert_eq!(raised.to_string().parse(), Ok(raised.clone()));
            for step in raised.usual_steps().expect("there are some") {
                assert_eq!(raised.step(&step.to_string()), Ok(step));
            }
        }
    }
}
