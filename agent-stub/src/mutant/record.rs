//! What a mutant writes into its data log in place of the truth.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::mutant::fault_hooks::{FaultHooks, MutantState};
use crate::mutant::named::Mutant;
use crate::mutant::table::Record;

impl FaultHooks {
    /// Returns what is written in a line's place.
    pub fn write_down(&self, line: Vec<u8>) -> Vec<u8> {
        let Some(Mutant::Record(record)) = self.mutant() else {
            return line;
        };
        let is_twentieth = MutantState::next(&self.state().others).is_multiple_of(20);
        match record {
            Record::BreaksLines if is_twentieth => line[..line.len() / 2].to_vec(),
            Record::DoublesLines => line.repeat(2),
            Record::LosesEvery20th if is_twentieth => vec![],
            Record::MakesUpResponses => edited(&line, |object| {
                if object["ResponseCode"] == json!(0) {
                    object["ResponseCode"] = json!(200);
                }
            }),
            Record::OtherCode => edited(&line, |object| object["WAFResponse"] = json!(499)),
            Record::OtherId => edited(&line, |object| {
                object["RequestIDStr"] = json!("f".repeat(24));
            }),
            Record::OtherPath => edited(&line, |object| object["Path"] = json!("/")),
            Record::OtherSignals => edited(&line, |object| {
                for signal in object["Signals"].as_array_mut().into_iter().flatten() {
                    signal["Type"] = json!("TRAVERSAL");
                }
            }),
            Record::BreaksLines | Record::LosesEvery20th | Record::TwoFaced => line,
        }
    }

    /// Writes what contradicts a line, later.
    pub fn contradict(&self, line: &[u8], file: &File) {
        if self.mutant() != Some(Mutant::Record(Record::TwoFaced)) {
            return;
        }
        let second = contradicting(line);
        let Ok(mut file) = file.try_clone() else {
            return;
        };
        tokio::spawn(async move {
            tokio::time::sleep(RESTATEMENT_DELAY).await;
            // A lie that cannot be written is not missed.
            let _written = file.write_all(&second);
        });
    }
}

fn contradicting(line: &[u8]) -> Vec<u8> {
    edited(line, |object| {
        let was_allowed = object["WAFResponse"] == json!(200);
        object["WAFResponse"] = json!(if was_allowed { 406 } else { 200 });
        object["Signals"] = json!([]);
    })
}

fn edited(line: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let Ok(mut object) = serde_json::from_slice(line) else {
        return line.to_vec();
    };
    edit(&mut object);
    format!("{object}\n").into_bytes()
}

const RESTATEMENT_DELAY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const LINE: &str = r#"{"Path":"/a","RequestIDStr":"id","ResponseCode":0,"Signals":[{"Type":"SQLI"}],"WAFResponse":406}"#;

    fn written(record: Record, lines: usize) -> String {
        let fault_hooks = FaultHooks::of(Some(Mutant::Record(record)));
        let all: Vec<u8> = (0..lines)
            .flat_map(|_| fault_hooks.write_down(format!("{LINE}\n").into_bytes()))
            .collect();
        String::from_utf8(all).expect("text")
    }

    #[rstest]
    #[case(Record::MakesUpResponses, ":0", ":200")]
    #[case(Record::OtherCode, "406", "499")]
    #[case(Record::OtherId, "\"id\"", "\"ffffffffffffffffffffffff\"")]
    #[case(Record::OtherPath, "/a", "/")]
    #[case(Record::OtherSignals, "SQLI", "TRAVERSAL")]
    fn a_line_is_wrong_in_one_field(#[case] record: Record, #[case] from: &str, #[case] to: &str) {
        assert_eq!(written(record, 1), format!("{}\n", LINE.replace(from, to)));
    }

    #[test]
    fn lines_are_lost_doubled_and_broken() {
        let lines = |record| written(record, 20).lines().count();
        assert_eq!(lines(Record::LosesEvery20th), 19);
        assert_eq!(lines(Record::DoublesLines), 40);
        assert_eq!(lines(Record::TwoFaced), 20);
        let broken = written(Record::BreaksLines, 20);
        let whole = broken.lines().filter(|line| *line == LINE).count();
        assert_eq!((whole, broken.ends_with('\n')), (19, false));
    }

    #[test]
    fn a_contradiction_takes_back_the_verdict_and_its_reasons() {
        let lie: Value = serde_json::from_slice(&contradicting(LINE.as_bytes())).expect("JSON");
        let told = json!({"Path":"/a","RequestIDStr":"id","ResponseCode":0,"Signals":[],"WAFResponse":200});
        assert_eq!(lie, told);
    }
}
