//! Certificates and keys, from PEM files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use sockets_tcp::TlsError;
use sockets_tcp::rustls::RootCertStore;
use sockets_tcp::rustls::pki_types::pem::{self, PemObject as _};
use sockets_tcp::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The largest PEM file read, in bytes: some twenty times what the authorities of a system take.
const LARGEST_PEM: u64 = 4 << 20;

/// All certificates of a file, at least one.
pub(super) fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(&read(file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(file, "certificate", error))?;
    anyhow::ensure!(!certificates.is_empty(), "`{}` has no certificate in it", file.display());
    Ok(certificates)
}

/// The first private key of a file.
pub(super) fn key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&read(file)?)
        .map_err(|error| unreadable(file, "private key (an encrypted one is not read)", error))
}

/// Whom to trust: those who are signed by these, and these.
pub(super) fn authorities(
    file: &Path,
) -> anyhow::Result<(RootCertStore, Vec<CertificateDer<'static>>)> {
    let certificates = certificates(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| {
            let error = TlsError::from(error);
            anyhow::anyhow!("a certificate in `{}` is of no use: {error}", file.display())
        })?;
    }
    Ok((roots, certificates))
}

/// A whole file of at most [`LARGEST_PEM`] bytes.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LARGEST_PEM + 1).read_to_end(&mut text))
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    anyhow::ensure!(
        text.len() as u64 <= LARGEST_PEM,
        "`{}` is larger than {LARGEST_PEM} bytes: no certificates, and no key",
        file.display()
    );
    Ok(text)
}

fn unreadable(file: &Path, what: &str, error: pem::Error) -> anyhow::Error {
    let file = file.display();
    match error {
        pem::Error::NoItemsFound => anyhow::anyhow!("`{file}` has no {what} in it, in PEM"),
        pem::Error::MissingSectionEnd { .. } => {
            anyhow::anyhow!("`{file}` ends in the middle of its PEM: a line -----END is missing")
        }
        pem::Error::IllegalSectionStart { .. } => {
            anyhow::anyhow!("`{file}` is no PEM: a line -----BEGIN is broken")
        }
        pem::Error::Base64Decode(_) => {
            anyhow::anyhow!("`{file}` is no PEM: what stands between its lines is no base64")
        }
        error => anyhow::anyhow!("cannot read {what} from `{file}`: {error}"),
    }
}
