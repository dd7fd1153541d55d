//! Answers a fixed number of Checks of one class, for `ci/instructions.py` to count the instructions of.
//!
//! `--list` prints the names of the classes; otherwise the arguments are a class and a number of Checks.

mod support;

use std::env;
use std::hint::black_box;
use std::io::{self, Write as _};

use support::{Agent, all};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--list"] => {
            for class in all() {
                writeln!(io::stdout(), "{}", class.name)?;
            }
            Ok(())
        }
        [name, count] => answer(name, count),
        _ => Err(io::Error::other(
            "wanted: --list, or a class and a number of Checks",
        )),
    }
}

fn answer(name: &str, count: &str) -> io::Result<()> {
    let class = all()
        .into_iter()
        .find(|class| class.name == name)
        .ok_or_else(|| io::Error::other(format!("{name}: no such class")))?;
    let count: u32 = count.parse().map_err(io::Error::other)?;
    let agent = Agent::start();
    agent.prove(&class);
    for _ in 0..count {
        black_box(agent.answer(black_box(&class.check)));
    }
    Ok(())
}
