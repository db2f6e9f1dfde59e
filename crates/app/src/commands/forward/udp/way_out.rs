//! The way out: what had come still goes on, within the grace; what does not is told.

use ports_core::Transport;
use sockets_udp::{DRAIN_LIMIT, RecvBatch};
use stats::Role;

use super::super::ledger::Loss;
use super::super::mapping::Ending;
use super::Forward;
use crate::output::{EventLine, counted};

impl Forward {
    /// Sends on what had arrived before the command was told to stop, then what the target has
    /// answered by then.
    pub(super) async fn finish(
        &mut self,
        batch: &mut RecvBatch,
        served: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let drained = match served {
            Ok(()) => self.drain(batch).await,
            failed => failed,
        };
        self.mappings.end(Ending::Shutdown);
        while let Some(ended) = self.serving.join_next().await {
            self.forget(&*ended?);
        }
        drained
    }

    /// Gives up what is still under way, and tells what that was.
    pub(super) async fn cut(&mut self) {
        self.mappings.end(Ending::Shutdown);
        self.serving.shutdown().await;
        let up = std::mem::take(&mut self.in_hand);
        self.lose(up);
        if up.messages > 0 {
            let Loss { messages, bytes } = up;
            let line = EventLine::DroppedForTarget { client: None, to: "target", messages, bytes };
            self.teller.tell(line);
        }
        let mut down = 0;
        for mapping in self.mappings.drain() {
            let loss @ Loss { messages, bytes } = mapping.in_hand();
            self.lose(loss);
            down += messages;
            if messages > 0 {
                let (client, bytes) = (Some(mapping.number()), Some(bytes));
                self.teller.tell(EventLine::Dropped { client, messages, bytes });
            }
            mapping.close(&self.teller);
            self.teller.tell(mapping.farewell());
        }
        self.teller.warn(&format!(
            "not done {} s after the end was asked for: not sent are up to {} for clients and {} for \
             udp {}",
            self.grace.as_secs(),
            counted(down, "answer", "answers"),
            counted(up.messages, "datagram", "datagrams"),
            self.target.address
        ));
    }

    fn lose(&self, Loss { messages, bytes }: Loss) {
        self.stats.dropped(Transport::Udp, Role::Peer, messages, bytes);
    }

    async fn drain(&mut self, batch: &mut RecvBatch) -> anyhow::Result<()> {
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Some(first) = self.socket.try_recv()?
        {
            left = left.saturating_sub(self.take(Ok(first), batch).await?);
        }
        Ok(())
    }
}
