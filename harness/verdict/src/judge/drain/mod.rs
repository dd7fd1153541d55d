//! What a pod owes while it is deleted: its streams, the clients that keep their connections, and requests that are under way.

pub use self::clients::{
    ClientRequest, ConnectionExpectation, CutExpectation, ReleaseExpectation,
    ResponseDataExpectation, judge_clients,
};
pub use self::due::deletion_asked_at;
pub use self::streams::{StreamRequest, StreamsExpectation, judge_streams};
pub use self::under_way::judge_under_way;

mod absence;
mod client_account;
mod clients;
mod due;
mod streams;
mod under_way;
