//! One connection of an arm: it carries one request at a time, and never blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::request_bytes::AnswerBody;
use crate::response::{ParseProgress, ResponseParser};
use crate::response_head::ConnectionReuse;

/// How long a connection to an address of this pod may take to be opened; every arm waits meanwhile.
const OPENED_WITHIN: Duration = Duration::from_millis(100);
/// The most bytes of an answer's body.
const BODY_LIMIT: u64 = 16 * 1024 * 1024;
/// What is read at once.
const READ_LENGTH: usize = 16 * 1024;

/// A connection, and what it carries.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) arm: u8,
    pub(super) number: u8,
    address: SocketAddr,
    stream: Option<TcpStream>,
    exchange: Option<Exchange>,
}

/// A request under way.
#[derive(Debug)]
struct Exchange {
    written: usize,
    parser: ResponseParser,
}

/// What became of the request that a lane carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// It is not through.
    UnderWay,
    /// It was answered with this status.
    Answered(u16),
    /// The connection is lost.
    Lost,
    /// What came was no answer.
    Unreadable,
}

impl Lane {
    /// Opens the connection.
    pub(super) fn open(arm: u8, number: u8, address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            arm,
            number,
            address,
            stream: Some(connect(address)?),
            exchange: None,
        })
    }

    /// Returns the connection, where it is open.
    pub(super) fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// Returns whether bytes of the request wait to be written.
    pub(super) fn is_writing(&self, request: &[u8]) -> bool {
        let exchange = self.exchange.as_ref();
        exchange.is_some_and(|exchange| exchange.written < request.len())
    }

    /// Begins a request, on a new connection where the last one is gone.
    pub(super) fn begin(&mut self, request: &[u8]) -> Progress {
        if self.stream.is_none() {
            self.stream = connect(self.address).ok();
        }
        self.exchange = Some(Exchange {
            written: 0,
            parser: ResponseParser::new(AnswerBody::Possible, BODY_LIMIT),
        });
        self.write(request)
    }

    /// Goes on with the request, after the connection is ready again. Returns what became of it, with the moment of the last byte.
    pub(super) fn go_on(&mut self, request: &[u8]) -> (Progress, Instant) {
        let written = self.write(request);
        if written != Progress::UnderWay {
            return (written, Instant::now());
        }
        let mut bytes = [0; READ_LENGTH];
        loop {
            let (Some(stream), Some(exchange)) = (&mut self.stream, &mut self.exchange) else {
                return (self.end(Progress::Lost), Instant::now());
            };
            let read = stream.read(&mut bytes);
            let now = Instant::now();
            let ended = match read {
                Ok(0) => Progress::Lost,
                Ok(length) => match exchange.parser.read(&bytes[..length]) {
                    Ok(ParseProgress::Complete { surplus: 0 }) => return (self.answered(), now),
                    Ok(ParseProgress::Complete { .. }) | Err(_) => Progress::Unreadable,
                    Ok(ParseProgress::Incomplete) => continue,
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return (Progress::UnderWay, now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => Progress::Lost,
            };
            return (self.end(ended), now);
        }
    }

    /// Gives the request up, with the connection.
    pub(super) fn give_up(&mut self) {
        self.end(Progress::Lost);
    }

    fn write(&mut self, request: &[u8]) -> Progress {
        loop {
            let (Some(stream), Some(exchange)) = (&mut self.stream, &mut self.exchange) else {
                return self.end(Progress::Lost);
            };
            if exchange.written == request.len() {
                return Progress::UnderWay;
            }
            match stream.write(&request[exchange.written..]) {
                Ok(0) => return self.end(Progress::Lost),
                Ok(length) => exchange.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::UnderWay,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // An answer may have been sent before the connection was closed.
                Err(_) => return Progress::UnderWay,
            }
        }
    }

    fn answered(&mut self) -> Progress {
        let exchange = self.exchange.take();
        let Some(answer) = exchange.and_then(|exchange| exchange.parser.into_answer()) else {
            return self.end(Progress::Unreadable);
        };
        match answer.reuse {
            ConnectionReuse::Possible => {}
            ConnectionReuse::Impossible => self.stream = None,
        }
        Progress::Answered(answer.record.status)
    }

    /// Ends the request together with the connection.
    fn end(&mut self, progress: Progress) -> Progress {
        self.stream = None;
        self.exchange = None;
        progress
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, OPENED_WITHIN)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
