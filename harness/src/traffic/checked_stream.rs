//! Checks a stream of the plan before anything is sent: its address, pacing and requests.

use crate::traffic::pacing::{Rate, RateError};
use crate::traffic::plan::{ConnectionUse, Pacing, Requests, Stream};
use crate::traffic::request_bytes::{
    NUMBER_PLACEHOLDER, RequestBytes, RequestError, RequestTemplate,
};

/// The most requests of one concurrent stream that are under way, whatever its plan says.
const CONCURRENCY_LIMIT: usize = 65_536;

/// A stream of the plan, checked.
#[derive(Debug)]
pub(crate) struct CheckedStream {
    /// Names the stream in its records.
    pub(crate) name: String,
    /// `host:port`.
    pub(crate) address: String,
    /// When requests are sent.
    pub(crate) pacing: CheckedPacing,
    requests: CheckedRequests,
}

/// When the requests of a stream are sent, with what only that pacing needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CheckedPacing {
    /// All at once, with at most this many under way.
    Concurrent {
        /// Requests under way at the same time.
        limit: usize,
    },
    /// Each at its due instant.
    OpenLoop {
        /// Requests per second.
        rate: Rate,
    },
    /// Each after the one before it.
    Sequential {
        /// Whether the connection is kept.
        connection: ConnectionUse,
    },
}

#[derive(Debug)]
enum CheckedRequests {
    List(Vec<RequestTemplate>),
    Repeat {
        template: Box<RequestTemplate>,
        limit: u32,
    },
}

/// Why a stream cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The address has no host, or no port.
    #[error("`{address}` is not `host:port`")]
    Address {
        /// What was given.
        address: String,
    },
    /// A connection can be kept only where requests follow each other.
    #[error("a connection can be kept only with sequential pacing")]
    KeepWithoutSequence,
    /// No request could be under way.
    #[error("a concurrency limit of 0 sends nothing")]
    NoConcurrency,
    /// All repetitions would have the same id.
    #[error("the id `{id}` of a repeated request has no `{NUMBER_PLACEHOLDER}` in it")]
    NoPlaceholder {
        /// The id.
        id: String,
    },
    /// The rate is out of bounds.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// A request cannot be sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The list has more requests than can be numbered.
    #[error("the stream has {count} requests, which is too many")]
    TooManyRequests {
        /// How many.
        count: usize,
    },
}

impl CheckedStream {
    /// Checks a stream of the plan.
    pub(crate) fn new(stream: Stream) -> Result<Self, StreamError> {
        let has_port = stream
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            return Err(StreamError::Address {
                address: stream.address,
            });
        }
        let pacing = match (stream.pacing, stream.connection) {
            (Pacing::Sequential, connection) => CheckedPacing::Sequential { connection },
            (Pacing::Rate { .. } | Pacing::Concurrent { .. }, ConnectionUse::Keep) => {
                return Err(StreamError::KeepWithoutSequence);
            }
            (Pacing::Concurrent { limit: 0 }, ConnectionUse::New) => {
                return Err(StreamError::NoConcurrency);
            }
            (Pacing::Concurrent { limit }, ConnectionUse::New) => CheckedPacing::Concurrent {
                limit: usize::try_from(limit)
                    .map_or(CONCURRENCY_LIMIT, |limit| limit.min(CONCURRENCY_LIMIT)),
            },
            (Pacing::Rate { per_second }, ConnectionUse::New) => CheckedPacing::OpenLoop {
                rate: Rate::new(per_second)?,
            },
        };
        Ok(Self {
            requests: CheckedRequests::new(stream.requests, &stream.address)?,
            name: stream.name,
            address: stream.address,
            pacing,
        })
    }

    /// Returns the ids of the stream's requests; of a repeated one, the id with its placeholder.
    pub(crate) fn ids(&self) -> Vec<String> {
        match &self.requests {
            CheckedRequests::List(templates) => templates
                .iter()
                .map(|template| template.once().id)
                .collect(),
            CheckedRequests::Repeat { template, .. } => vec![template.once().id],
        }
    }

    /// Returns request `number`, or none beyond the last.
    pub(crate) fn nth(&self, number: u32) -> Option<RequestBytes> {
        self.requests.nth(number)
    }
}

impl CheckedRequests {
    fn new(requests: Requests, address: &str) -> Result<Self, StreamError> {
        match requests {
            Requests::List(list) => {
                if u32::try_from(list.len()).is_err() {
                    return Err(StreamError::TooManyRequests { count: list.len() });
                }
                let templates: Result<_, _> = list
                    .iter()
                    .map(|request| RequestTemplate::new(request, address))
                    .collect();
                Ok(Self::List(templates?))
            }
            Requests::Repeat { request, limit } => {
                if limit > 1 && !request.id.contains(NUMBER_PLACEHOLDER) {
                    return Err(StreamError::NoPlaceholder { id: request.id });
                }
                Ok(Self::Repeat {
                    template: Box::new(RequestTemplate::new(&request, address)?),
                    limit,
                })
            }
        }
    }

    fn nth(&self, number: u32) -> Option<RequestBytes> {
        match self {
            Self::List(templates) => templates
                .get(usize::try_from(number).ok()?)
                .map(RequestTemplate::once),
            Self::Repeat { template, limit } => {
                (number < *limit).then(|| template.numbered(number))
            }
        }
    }
}
