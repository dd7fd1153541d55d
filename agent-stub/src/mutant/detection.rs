//! What a mutant makes of the findings: signals that it misses, that it makes up, and that it calls by another name.

use crate::exchange::CheckedRequest;
use crate::inspect::{Location, Signal, SignalKind};
use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::table::Detection;

impl FaultHooks {
    /// Changes the signals that an inspection found.
    pub fn misjudge(&self, request: &CheckedRequest, signals: &mut Vec<Signal>) {
        let Some(mutant) = self.mutant() else {
            return;
        };
        signals.retain(|signal| !mutant.misses(signal));
        if let Mutant::Detection(detection) = mutant {
            detection.rename(signals);
            signals.extend(detection.invents(request).map(made_up));
        }
        self.answer_from_memory(request, signals);
    }
}

impl Mutant {
    /// Returns whether the mutant misses a finding.
    pub fn misses(self, signal: &Signal) -> bool {
        match self {
            Self::Detection(detection) => detection.misses(signal),
            Self::IgnoresLocation(location) => signal.location == location,
            Self::IgnoresSignal(kind) => signal.kind == kind,
            Self::Answer(_)
            | Self::Call(_)
            | Self::Files(_)
            | Self::Memory(_)
            | Self::Policy(_)
            | Self::Record(_)
            | Self::Report(_)
            | Self::Resource(_)
            | Self::Sight(_)
            | Self::Start(_)
            | Self::Stop(_) => false,
        }
    }
}

impl Detection {
    // A signal holds the value as it was written, and so the encoding too.
    fn misses(self, signal: &Signal) -> bool {
        let written = signal.value.as_str();
        match self {
            Self::Base64 => is_base64(written),
            Self::DoubleEncoding => written.contains("%25"),
            Self::Entities => written.contains("&#") || written.contains("%26%23"),
            Self::NamesOfFields => !signal.name.is_empty() && signal.name == written,
            Self::BlocksApostrophes
            | Self::BlocksBinary
            | Self::BlocksBodiesOver4Kib
            | Self::BlocksRareMethods
            | Self::BlocksSqlWords
            | Self::WrongPosition
            | Self::WrongSignal => false,
        }
    }

    fn rename(self, signals: &mut [Signal]) {
        for signal in signals {
            match self {
                Self::WrongPosition => signal.location = Location::QueryString,
                Self::WrongSignal if signal.kind == SignalKind::SqlInjection => {
                    signal.kind = SignalKind::CrossSiteScripting;
                }
                Self::Base64
                | Self::BlocksApostrophes
                | Self::BlocksBinary
                | Self::BlocksBodiesOver4Kib
                | Self::BlocksRareMethods
                | Self::BlocksSqlWords
                | Self::DoubleEncoding
                | Self::Entities
                | Self::NamesOfFields
                | Self::WrongSignal => {}
            }
        }
    }

    fn invents(self, request: &CheckedRequest) -> Option<SignalKind> {
        let target = request.target.to_ascii_lowercase();
        match self {
            Self::BlocksApostrophes if target.contains(['\'']) || target.contains("%27") => {
                Some(SignalKind::SqlInjection)
            }
            Self::BlocksBinary if std::str::from_utf8(&request.body).is_err() => {
                Some(SignalKind::NullByte)
            }
            Self::BlocksBodiesOver4Kib if request.body.len() > 4_096 => {
                Some(SignalKind::CodeInjection)
            }
            Self::BlocksRareMethods
                if !["GET", "HEAD", "POST"].contains(&request.method.as_str()) =>
            {
                Some(SignalKind::CodeInjection)
            }
            Self::BlocksSqlWords if target.contains("union") && target.contains("select") => {
                Some(SignalKind::SqlInjection)
            }
            Self::Base64
            | Self::BlocksApostrophes
            | Self::BlocksBinary
            | Self::BlocksBodiesOver4Kib
            | Self::BlocksRareMethods
            | Self::BlocksSqlWords
            | Self::DoubleEncoding
            | Self::Entities
            | Self::NamesOfFields
            | Self::WrongPosition
            | Self::WrongSignal => None,
        }
    }
}

// A finding in a text of nothing but the letters of base64 was made after it was decoded.
fn is_base64(written: &str) -> bool {
    let text = written.trim().replace("%3D", "=").replace("%3d", "=");
    text.len() >= 8
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte))
        && !text.contains("//")
}

fn made_up(kind: SignalKind) -> Signal {
    Signal {
        kind,
        location: Location::QueryString,
        name: String::new(),
        value: String::new(),
        detector: "STUB-MADE-UP".into(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn signal(name: &str, value: &str) -> Signal {
        Signal {
            kind: SignalKind::SqlInjection,
            location: Location::Form,
            name: name.into(),
            value: value.into(),
            detector: String::new(),
        }
    }

    fn missing(signal: &Signal) -> Vec<String> {
        Mutant::all()
            .filter(|mutant| mutant.misses(signal))
            .map(|mutant| mutant.to_string())
            .filter(|name| {
                !["ignores-signal-sqli", "ignores-position-form"].contains(&name.as_str())
            })
            .collect()
    }

    #[test]
    fn a_finding_in_plain_text_is_missed_by_its_signal_and_its_position_only() {
        let found = signal("q", "1' OR '1'='1");
        assert!(missing(&found).is_empty(), "{:?}", missing(&found));
        let all = Mutant::all().filter(|mutant| mutant.misses(&found)).count();
        assert_eq!(all, 2);
    }

    #[rstest]
    #[case("q", "1%2527", "misses-double-encoding")]
    #[case("q", "MScgT1IgJzEnPScx", "misses-base64")]
    #[case("q", "&#x27; OR 1=1", "misses-numeric-entities")]
    #[case("1' OR 1=1", "1' OR 1=1", "misses-names")]
    fn a_way_of_writing_is_missed_by_one_mutant(
        #[case] name: &str,
        #[case] value: &str,
        #[case] mutant: &str,
    ) {
        assert_eq!(missing(&signal(name, value)), [mutant]);
    }

    fn invented(target: &str, method: &str, body: &[u8]) -> Vec<&'static str> {
        let request = CheckedRequest {
            target: target.into(),
            method: method.into(),
            body: body.into(),
            ..CheckedRequest::default()
        };
        Detection::ALL
            .iter()
            .filter(|detection| detection.invents(&request).is_some())
            .map(|detection| detection.name())
            .collect()
    }

    #[test]
    fn a_benign_shape_is_taken_for_an_attack_by_one_mutant() {
        assert_eq!(
            invented("/?name=O'Brien", "GET", b""),
            ["blocks-apostrophes"]
        );
        assert_eq!(
            invented("/?q=Union+Select", "GET", b""),
            ["blocks-sql-words"]
        );
        assert_eq!(invented("/", "PUT", b""), ["blocks-rare-methods"]);
        assert_eq!(invented("/", "POST", b"\xff"), ["blocks-binary-bodies"]);
        assert_eq!(
            invented("/", "POST", &[b'x'; 4_097]),
            ["blocks-bodies-over-4-kib"]
        );
        assert!(invented("/", "POST", &[b'x'; 4_096]).is_empty());
    }

    #[test]
    fn a_signal_is_called_by_another_name() {
        let fault_hooks = FaultHooks::of(Some(Mutant::Detection(Detection::WrongSignal)));
        let mut signals = vec![signal("q", "x")];
        fault_hooks.misjudge(&CheckedRequest::default(), &mut signals);
        assert_eq!(signals[0].kind, SignalKind::CrossSiteScripting);
        assert_eq!(signals[0].location, Location::Form);
    }
}
