//! The discard service (RFC 863): reads and throws away.

use super::{Handler, HandlerError};
use crate::connection::Connection;

/// Throws away what the client sends, and says nothing (RFC 863). What a server does unless told
/// otherwise; the bytes are counted all the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Discard {
    const BUFFER: usize = 16 * 1024;
}

impl Handler for Discard {
    async fn handle(&self, mut connection: Connection) -> Result<(), HandlerError> {
        let mut buffer = vec![0; Self::BUFFER];
        while connection.read(&mut buffer).await? > 0 {}
        Ok(())
    }
}
