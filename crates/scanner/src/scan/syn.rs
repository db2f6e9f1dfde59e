//! Scans by SYN: whether this build and this process can, and what they ask with.

#[cfg(all(feature = "raw", target_os = "linux"))]
mod imp {
    use crate::links::Links;
    use crate::prober::Prober;
    use crate::raw::{self, SynProber};
    use crate::scan::{Scan, ScanError};

    pub(super) fn permitted() -> std::io::Result<()> {
        raw::permitted()
    }

    impl Scan {
        pub(in crate::scan) fn syn_prober(
            &self,
            links: Links,
        ) -> Result<Box<dyn Prober>, ScanError> {
            Ok(Box::new(SynProber::new(links, self.source, self.interface.as_deref())?))
        }

        pub(in crate::scan) fn survey_by_packets(
            &self,
            links: Links,
        ) -> Result<Box<dyn Prober>, ScanError> {
            let prober = SynProber::new(links, self.source, self.interface.as_deref())?;
            Ok(Box::new(prober.for_discovery()))
        }
    }
}

#[cfg(not(all(feature = "raw", target_os = "linux")))]
mod imp {
    use std::io;

    use crate::links::Links;
    use crate::prober::Prober;
    use crate::scan::{Scan, ScanError};

    pub(super) fn permitted() -> io::Result<()> {
        Err(missing())
    }

    fn missing() -> io::Error {
        let message = "this build has no raw packets: they need Linux and the feature `raw`";
        io::Error::new(io::ErrorKind::Unsupported, message)
    }

    impl Scan {
        #[expect(clippy::unused_self, reason = "as where there are raw packets")]
        pub(in crate::scan) fn syn_prober(&self, _: Links) -> Result<Box<dyn Prober>, ScanError> {
            Err(ScanError::RawPackets { source: missing() })
        }

        pub(in crate::scan) fn survey_by_packets(
            &self,
            links: Links,
        ) -> Result<Box<dyn Prober>, ScanError> {
            self.syn_prober(links)
        }
    }
}

/// Whether this process may scan with [`Method::Syn`](crate::Method::Syn).
///
/// # Errors
///
/// What the system says: `PermissionDenied` without the capability `CAP_NET_RAW`, `Unsupported` where
/// this build cannot at all.
pub fn syn_permitted() -> std::io::Result<()> {
    imp::permitted()
}
