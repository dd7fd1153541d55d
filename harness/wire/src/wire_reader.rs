//! The reader of a tap's stream as it grows.

use std::collections::BTreeMap;

use crate::connection::{Connection, Life, Yield};
use crate::record::WireRecord;
use crate::tap::{Segment, SocketEvent, TapReader};

/// How many connections may be open at once.
pub(crate) const CONNECTIONS: usize = 4096;

/// How much of unfinished frames, messages and checks is kept, in bytes, over all connections.
pub(crate) const HELD_BYTES: usize = 256 * 1024 * 1024;

/// Reads a tap's stream as it grows.
///
/// What cannot be decoded is lost, never guessed: a malformed connection from there on, with the checks that are open on it. [`Self::take_losses`]
/// says so.
#[derive(Debug, Default)]
pub struct WireReader {
    tap: TapReader,
    connections: BTreeMap<u64, Tracked>,
    output: Yield,
    held: usize,
    crowd: Crowd,
}

/// A connection, or that it cannot be read any more.
#[derive(Debug)]
enum Tracked {
    Read(Box<Connection>),
    Lost,
}

/// Whether there have been more connections than are read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Crowd {
    #[default]
    Unseen,
    Said,
}

impl WireReader {
    /// Takes the next bytes of the stream, cut anywhere.
    pub fn feed(&mut self, mut piece: &[u8]) {
        while let Some(segment) = self.tap.next(&mut piece) {
            match segment {
                Ok(segment) => self.take_segment(&segment),
                Err(error) => self.output.losses.add(error.to_string()),
            }
        }
    }

    /// Returns the records of checks that became complete since the last call: answered, given up, or whose connection closed.
    pub fn take_records(&mut self) -> Vec<WireRecord> {
        std::mem::take(&mut self.output.records)
    }

    /// Takes that the stream is over: checks that are open become records without an answer.
    pub fn finish(&mut self) {
        if let Some(error) = self.tap.finish() {
            self.output.losses.add(error.to_string());
        }
        for tracked in std::mem::take(&mut self.connections).into_values() {
            match tracked {
                Tracked::Read(mut connection) => connection.close(&mut self.output),
                Tracked::Lost => {}
            }
        }
        self.held = 0;
    }

    /// Returns why something could not be decoded since the last call, a sentence each; bounded in number and length.
    pub fn take_losses(&mut self) -> Vec<String> {
        self.output.losses.take()
    }

    /// Returns how many access-log entries of requests the agent has been sent so far.
    pub const fn response_data(&self) -> u64 {
        self.output.response_data
    }

    fn take_segment(&mut self, segment: &Segment) {
        let name = segment.connection;
        if !self.connections.contains_key(&name) {
            if self.connections.len() >= CONNECTIONS {
                self.refuse();
                return;
            }
            let connection = Tracked::Read(Box::new(Connection::new(name)));
            self.connections.insert(name, connection);
        }
        for event in &segment.events {
            self.take_event(name, event);
        }
    }

    fn take_event(&mut self, name: u64, event: &SocketEvent) {
        let Some(tracked) = self.connections.get_mut(&name) else {
            return;
        };
        let life = match tracked {
            Tracked::Read(connection) => {
                let before = connection.held();
                let life = connection.take(event, &mut self.output);
                self.held = (self.held + connection.held()).saturating_sub(before);
                match life {
                    Ok(_) if self.held > HELD_BYTES => {
                        let reason = format!("more than {HELD_BYTES} bytes wait for their end");
                        self.lose(name, &reason);
                        Life::of(event)
                    }
                    Ok(life) => life,
                    Err(error) => {
                        self.lose(name, &error.to_string());
                        Life::of(event)
                    }
                }
            }
            Tracked::Lost => Life::of(event),
        };
        match life {
            Life::Open => {}
            Life::Closed => {
                self.connections.remove(&name);
            }
        }
    }

    /// Forgets a connection's content and says why.
    fn lose(&mut self, name: u64, reason: &str) {
        let lost = self.connections.insert(name, Tracked::Lost);
        if let Some(Tracked::Read(connection)) = lost {
            self.held = self.held.saturating_sub(connection.held());
            let open = connection.open_checks();
            self.output.losses.add(format!(
                "connection {name}: {reason}; the rest of it is lost, with {open} checks that were open"
            ));
        }
    }

    fn refuse(&mut self) {
        if self.crowd == Crowd::Unseen {
            self.crowd = Crowd::Said;
            let reason = format!("more than {CONNECTIONS} connections: further ones are not read");
            self.output.losses.add(reason);
        }
    }
}
