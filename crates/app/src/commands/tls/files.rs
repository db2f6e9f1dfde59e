//! Certificates and keys, from PEM files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use sockets_tcp::TlsError;
use sockets_tcp::rustls::RootCertStore;
use sockets_tcp::rustls::crypto::CryptoProvider;
use sockets_tcp::rustls::pki_types::pem::{self, PemObject as _};
use sockets_tcp::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The largest PEM file read, in bytes: some twenty times what the authorities of a system take.
const LARGEST_PEM: u64 = 4 << 20;
const PRIVATE_KEY: &str = "private key";

/// All certificates of a file, at least one.
pub(super) fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let text = read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) });
    certificates.map_err(|error| unreadable(file, &text, "certificate", error))
}

/// The first private key of a file, of a kind that `provider` can sign with.
pub(super) fn key(
    file: &Path,
    provider: &CryptoProvider,
) -> anyhow::Result<PrivateKeyDer<'static>> {
    let text = read(file)?;
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| unreadable(file, &text, PRIVATE_KEY, error))?;
    provider.key_provider.load_private_key(key.clone_key()).map_err(|_| {
        anyhow::anyhow!(
            "the private key in `{}` is broken, or of a kind that is not taken: RSA of 2048 to \
             4096 bits, ECDSA with P-256 or P-384, and Ed25519 are",
            file.display()
        )
    })?;
    Ok(key)
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

fn unreadable(file: &Path, text: &[u8], what: &str, error: pem::Error) -> anyhow::Error {
    let file = file.display();
    if what == PRIVATE_KEY && is_encrypted(text) {
        return anyhow::anyhow!(
            "the private key in `{file}` is encrypted: give a copy without a password (openssl \
             pkey -in {file} -out COPY)"
        );
    }
    match error {
        pem::Error::NoItemsFound if text.contains(&0) => anyhow::anyhow!(
            "`{file}` has no {what} in it, in PEM: it is binary (of DER, openssl makes PEM by \
             -inform DER; of PKCS #12, by openssl pkcs12 -nodes)"
        ),
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

/// Whether a key in it wants a password: PKCS #8 (RFC 5958 section 3), or the older way, by a line
/// in the section (RFC 1421 section 4.6.1.1).
fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}

#[cfg(test)]
mod tests {
    use sockets_tcp::rustls::crypto::ring;

    use super::*;

    fn wrong_key(text: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        key(file.path(), &ring::default_provider()).unwrap_err().to_string()
    }

    #[test]
    fn a_key_that_cannot_be_used_is_told_with_its_reason() {
        for encrypted in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
             DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ] {
            let told = wrong_key(encrypted.as_bytes());
            assert!(told.contains("is encrypted") && told.contains("openssl pkey"), "{told}");
        }
        let told = wrong_key(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assert!(told.contains("of a kind that is not taken"), "{told}");
        let told = wrong_key(&[0x30, 0x82, 0, 1, 0]);
        assert!(told.contains("it is binary"), "{told}");
        let told = wrong_key(b"nothing");
        assert!(told.contains("no private key in it") && !told.contains("binary"), "{told}");
    }
}
