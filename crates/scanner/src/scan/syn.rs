//! Scans by SYN: whether this build and this process can, and what they ask with.

#[cfg(all(feature = "raw", target_os = "linux"))]
mod imp {
    use crate::links::Links;
    use crate::prober::Prober;
    use crate::raw::{self, SynProber};
    use crate::scan::limits::free_descriptors;
    use crate::scan::{Scan, ScanError};

    /// What the rest of the process may open meanwhile.
    const OTHERS: usize = 4;

    pub(super) fn permitted() -> std::io::Result<()> {
        raw::permitted()?;
        let (free, needed) = (free_descriptors(), raw::DESCRIPTORS_PER_WORKER + OTHERS);
        if free < needed {
            return Err(std::io::Error::other(format!(
                "raw packets take {needed} descriptors, and {free} are free: see `ulimit -n`"
            )));
        }
        Ok(())
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

/// Whether this process may scan with [`Method::Syn`](crate::Method::Syn), and has the descriptors that
/// it takes.
///
/// # Errors
///
/// What the system says: `PermissionDenied` without the capability `CAP_NET_RAW`, `Unsupported` where
/// this build cannot at all; or how many descriptors are missing.
pub fn syn_permitted() -> std::io::Result<()> {
    imp::permitted()
}
