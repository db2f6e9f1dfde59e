//! The discard service (RFC 863): reads and throws away.

use super::{Handler, HandlerError};
use crate::connection::Connection;

/// Throws away what the client sends, and says nothing (RFC 863). What a server does unless told
/// otherwise; the bytes are counted all the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Handler for Discard {
    async fn handle(&self, mut connection: Connection) -> Result<(), HandlerError> {
        while !connection.read_chunk().await?.is_empty() {}
        Ok(())
    }
}
