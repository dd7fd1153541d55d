//! The access-log entries on one stream: the response data that the agent gets.

use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use prost::Message as _;

use crate::grpc::{MESSAGE_BYTES, Message, MessageReader};

/// A stream of access-log entries.
#[derive(Debug, Default)]
pub(crate) struct AccessLog(MessageReader);

impl AccessLog {
    /// Takes data from the proxy; returns how many HTTP entries became whole. What cannot be read goes to `lose`.
    pub(crate) fn data(&mut self, mut data: &[u8], mut lose: impl FnMut(String)) -> u64 {
        let mut entries = 0;
        while let Some(message) = self.0.next(&mut data) {
            match message {
                Message::Whole(message) => match StreamAccessLogsMessage::decode(&*message) {
                    Ok(message) => entries += http_entries(&message),
                    Err(error) => lose(format!("no access-log message: {error}")),
                },
                Message::TooLong(length) => lose(format!(
                    "an access-log message of {length} bytes is longer than {MESSAGE_BYTES}"
                )),
                Message::Compressed => lose("an access-log message is compressed".to_owned()),
            }
        }
        entries
    }

    /// Returns how many bytes are kept of a message that is not whole.
    pub(crate) const fn held(&self) -> usize {
        self.0.held()
    }
}

fn http_entries(message: &StreamAccessLogsMessage) -> u64 {
    match &message.log_entries {
        Some(LogEntries::HttpLogs(entries)) => {
            u64::try_from(entries.log_entry.len()).unwrap_or(u64::MAX)
        }
        Some(LogEntries::TcpLogs(_)) | None => 0,
    }
}
